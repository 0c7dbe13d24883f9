"""What ``v4l2:...`` on the command line asks for."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from roma_device.app.cameras import CameraError
from roma_device.calibration.size import Size

from .pixel_formats import DECODERS

KEYS = ("size", "fps", "format", "exposure", "gain", "max_skew_ms", "timeout_s", "reconnect_s", "wait_s")


@dataclass(frozen=True, slots=True)
class V4l2Spec:
    """``v4l2:LEFT,RIGHT[?KEY=VALUE&...]``, or ``v4l2:DEVICE`` for one that delivers both side by side."""

    paths: tuple[str, ...]  # one or two
    size: Size | None = None  # of one image, px; None: the first that both offer near 640x400
    fps: float = 30.0
    format: str | None = None  # fourcc; None: the first of DECODERS that both offer
    exposure: int | None = None  # 100 us; None: automatic
    gain: int | None = None  # None: automatic
    max_skew_ms: float = 10.0
    timeout_s: float = 2.0  # without any pair: the cameras count as stuck
    reconnect_s: float = 20.0  # how long to try to get them back
    wait_s: float = 0.0  # how long to wait for them at the start

    @classmethod
    def parse(cls, text: str) -> V4l2Spec:
        """Raises CameraError for an unknown key or value, or where a device stands twice."""
        devices, _, query = text.partition("?")
        values = dict(parse_qsl(query, keep_blank_values=True))
        unknown = sorted(values.keys() - set(KEYS))
        if unknown:
            raise _usage(f"unknown option {unknown[0]!r} of a v4l2 camera; known: {', '.join(KEYS)}")
        return cls(
            _paths(devices),
            _size(values["size"]) if "size" in values else None,
            _number("fps", values, 30.0, 0.1, 1000),
            _format(values.get("format")),
            _setting("exposure", values),
            _setting("gain", values),
            _number("max_skew_ms", values, 10.0, 0.01, 1000),
            _number("timeout_s", values, 2.0, 0.1, 3600),
            _number("reconnect_s", values, 20.0, 0, math.inf),
            _number("wait_s", values, 0.0, 0, math.inf),
        )


def _paths(text: str) -> tuple[str, ...]:
    paths = tuple(_path(part.strip()) for part in text.split(","))
    if not all(paths) or len(paths) > 2:
        raise _usage("a v4l2 camera needs LEFT,RIGHT or one DEVICE, such as v4l2:/dev/video0,/dev/video2")
    if len({str(Path(path).resolve()) for path in paths}) < len(paths):
        raise _usage(f"left and right are the same device, {Path(paths[0]).resolve()}: name two cameras")
    return paths


def _path(name: str) -> str:
    """A number stands for /dev/videoN, a bare name for one in /dev/v4l/by-path or by-id."""
    if name.isdecimal():
        return f"/dev/video{name}"
    places = (Path("/dev/v4l/by-path", name), Path("/dev/v4l/by-id", name))
    return next((str(place) for place in places if name and "/" not in name and place.exists()), name)


def _size(text: str) -> Size:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 16 <= int(width) <= 16384 and 16 <= int(height) <= 16384):
        raise _usage(f"size={text} of a v4l2 camera is not WIDTHxHEIGHT, such as 640x480")
    return Size(int(width), int(height))


def _format(name: str | None) -> str | None:
    if name is not None and name not in DECODERS:
        raise _usage(f"format={name} cannot be decoded; known: {', '.join(DECODERS)}")
    return name


def _setting(key: str, values: dict[str, str]) -> int | None:
    text = values.get(key, "auto")
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) >= 1 << 31:
        raise _usage(f"{key}={text} of a v4l2 camera is neither auto nor a whole number")
    return int(text)


def _number(key: str, values: dict[str, str], default: float, least: float, most: float) -> float:
    text = values.get(key)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise _usage(f"{key}={text} of a v4l2 camera is not a number from {least:g} to {most:g}")
    return number


def _usage(message: str) -> CameraError:
    return CameraError(message, exit_code=os.EX_USAGE)
