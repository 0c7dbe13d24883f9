"""Messages as ROS 2 has them on the wire (CDR), by rosbags, which knows the definitions and their hashes."""

from __future__ import annotations

import os
from dataclasses import fields, is_dataclass
from typing import Any

from roma_device.calibration.errors import RomaError
from roma_device.runtime.extras import install_line

from .types import Message

DISTROS = ("humble", "jazzy", "kilted")


class CdrError(RomaError):
    """Messages that cannot be encoded."""


class Encoder:
    """Of the definitions of one ROS distribution."""

    def __init__(self, distro: str = "jazzy", extra: str = "zenoh") -> None:
        """``extra`` is what to install where rosbags is missing. Raises CdrError."""
        try:
            from rosbags.typesys import Stores, get_typestore
        except ImportError:
            message = f"this needs a package more: {install_line(extra)}"
            raise CdrError(message, exit_code=os.EX_UNAVAILABLE) from None
        self.typestore: Any = get_typestore(Stores(f"ros2_{distro}"))

    def encode(self, message: Message) -> memoryview:
        """The message's bytes, encapsulation header first."""
        data: memoryview = self.typestore.serialize_cdr(self._converted(message), message.TYPE)
        return data

    def hash_of(self, type_name: str) -> str:
        """``RIHS01_...`` of REP 2016."""
        text: str = self.typestore.hash_rihs01(type_name)
        return text

    def _converted(self, value: Any) -> Any:
        """As the class of the same name that rosbags has."""
        if isinstance(value, list):
            return [self._converted(each) for each in value]
        if not is_dataclass(value):
            return value
        values = {each.name: self._converted(getattr(value, each.name)) for each in fields(value)}
        return self.typestore.types[type_name_of(value)](**values)


def type_name_of(message: Any) -> str:
    """``package/msg/Name``."""
    name: str = message.TYPE
    return name
