"""Options behind the ``?`` of a publisher's name, and what publishers of topics have in common."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qsl

from roma_device.app.messages.topics import Quality, Topic
from roma_device.app.sinks import SinkError

ENCODINGS = ("32FC1", "16UC1")
KEYS = ("namespace", "depth", "stride", "domain", "reliable")
_NAMESPACE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*", re.ASCII)


def usage(message: str) -> SinkError:
    """The error of a publisher's name that makes no sense."""
    return SinkError(message, exit_code=os.EX_USAGE)


def split(argument: str, publisher: str, keys: Collection[str]) -> tuple[str, dict[str, str]]:
    """What stands before the ``?``, and the options, which may be ``keys``; raises SinkError."""
    name, _, query = argument.partition("?")
    values = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(values.keys() - set(keys)):
        raise usage(f"unknown option {unknown[0]!r} of {publisher}; known: {', '.join(keys)}")
    return name, values


def whole(values: dict[str, str], key: str, default: int, least: int, most: int) -> int:
    """Raises SinkError for what is no whole number in the range."""
    text = values.get(key, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise usage(f"{key}: {text!r} is not a whole number from {least} to {most}")
    return int(text)


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """What publishers of ROS topics can be told."""

    namespace: str = "stereo"
    millimetres: bool = False  # depth as 16UC1 instead of 32FC1
    stride: int = 4  # of points
    domain: int = 0  # ROS_DOMAIN_ID
    reliable: bool = False  # images too, instead of best effort as ROS's SensorDataQoS has it

    @classmethod
    def of(cls, values: dict[str, str]) -> TopicOptions:
        """Raises SinkError for a value that makes no sense."""
        namespace = values.get("namespace", "stereo")
        if not _NAMESPACE.fullmatch(namespace):
            raise usage(f"namespace: {namespace!r} is none: take names of letters, digits and _, with / between them")
        if (encoding := values.get("depth", ENCODINGS[0])) not in ENCODINGS:
            raise usage(f"depth: {encoding!r} is not one of {', '.join(ENCODINGS)}")
        reliable = whole(values, "reliable", 0, 0, 1) == 1
        domain = whole(values, "domain", _domain_of_environment(), 0, 232)
        return cls(namespace, encoding == "16UC1", whole(values, "stride", 4, 1, 64), domain, reliable)

    def quality(self, topic: Topic) -> Quality:
        """How the topic is offered."""
        return "reliable" if self.reliable and topic.quality == "sensor" else topic.quality


def _domain_of_environment() -> int:
    text = os.environ.get("ROS_DOMAIN_ID", "")
    return int(text) if text.isdecimal() and int(text) <= 232 else 0
