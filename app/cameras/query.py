"""Options behind the ``?`` of a camera's name, as in ``simulated:room?seed=3&size=320x200``."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from roma_device.calibration.arrays import Size

from . import CameraError


def usage(message: str) -> CameraError:
    """The error of a camera's name that makes no sense."""
    return CameraError(message, exit_code=os.EX_USAGE)


@dataclass(frozen=True, slots=True)
class Query:
    """Options by key; what is not understood raises CameraError. A key that is not given has its default."""

    camera: str  # its kind, for messages
    values: Mapping[str, str]

    @classmethod
    def split(cls, text: str, camera: str, keys: Collection[str]) -> tuple[str, Query]:
        """What stands before the ``?``, and the options, which may be ``keys``."""
        name, _, query = text.partition("?")
        values = dict(parse_qsl(query, keep_blank_values=True))
        if unknown := sorted(values.keys() - set(keys)):
            raise usage(f"unknown option {unknown[0]!r} of a {camera}; known: {', '.join(keys)}")
        return name, cls(camera, values)

    def whole(self, key: str, default: int, least: int, most: int = 2**31 - 1) -> int:
        return self._whole(key, self.values[key], least, most) if key in self.values else default

    def _whole(self, key: str, text: str, least: int, most: int) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise usage(f"{key}: {text!r} is not a whole number from {least} to {most}")
        return int(text)

    def number(self, key: str, default: float, least: float, most: float) -> float:
        try:
            number = float(self.values.get(key, default))
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise usage(f"{key}={self.values[key]} of a {self.camera} is not a number from {least:g} to {most:g}")
        return number

    def choice(self, key: str, default: str, known: Collection[str]) -> str:
        text = self.values.get(key, default)
        if text not in known:
            raise usage(f"{key}: {text!r} is not one of {', '.join(known)}")
        return text

    def size(self, least: int, most: int) -> Size | None:
        """The option ``size``, in px; None where it is not given."""
        if "size" not in self.values:
            return None
        width, cross, height = self.values["size"].partition("x")
        if not cross:
            raise usage(f"size={width} of a {self.camera} is not WIDTHxHEIGHT, such as 640x400")
        return Size(*(self._whole("size", side, least, most) for side in (width, height)))
