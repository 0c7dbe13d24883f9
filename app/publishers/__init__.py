"""Publishers: results for other programs while they come. One file each, named in PUBLISHERS."""

from __future__ import annotations

import os
from typing import Any

from roma_device.app.sinks import Sink, SinkError
from roma_device.runtime import registry

PUBLISHERS: dict[str, str] = {
    "foxglove": "roma_device.app.publishers.foxglove:FoxglovePublisher",
    "mqtt": "roma_device.app.publishers.mqtt:MqttPublisher",
    "ros2": "roma_device.app.publishers.ros2:Ros2Publisher",
    "shm": "roma_device.app.shared_memory.publisher:SharedMemoryPublisher",
    "zenoh": "roma_device.app.publishers.zenoh:ZenohPublisher",
}
"""Name (as in ``--publish NAME[:ARGUMENT]``) -> "module:Class"; each class is a Sink with ``from_spec(argument)``."""


def open_publisher(spec: str) -> Sink:
    """Make the publisher that ``spec`` ("NAME" or "NAME:ARGUMENT") names; raises SinkError."""
    name, _, argument = spec.partition(":")
    if name not in PUBLISHERS:
        raise SinkError(f"cannot publish to {name!r}; known: {', '.join(PUBLISHERS)}", exit_code=os.EX_USAGE)
    factory: Any = registry.load(PUBLISHERS, name)
    publisher: Sink = factory.from_spec(argument)
    return publisher
