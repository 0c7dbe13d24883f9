"""Publisher with rclpy, where a ROS 2 is installed and sourced: whatever middleware it uses."""

from __future__ import annotations

import importlib
import os
from array import array
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from roma_device.app.messages.bag import DEPTH
from roma_device.app.messages.cdr import type_name_of
from roma_device.app.messages.topics import TOPICS, Quality, Topic
from roma_device.app.messages.types import Message
from roma_device.app.sinks import SinkError
from roma_device.runtime.extras import install_line

from .options import KEYS, TopicOptions, split, usage
from .topic_publisher import TopicPublisher

NODE = "roma_device"


class Ros2Publisher(TopicPublisher):
    """``ros2[?namespace=...]``; a context manager. Topics whose package is not installed are left out, with a word."""

    def __init__(self, options: TopicOptions) -> None:
        super().__init__(options)
        self._context: Any = None
        self._node: Any = None
        self._publishers: dict[str, Any] = {}

    @classmethod
    def from_spec(cls, argument: str) -> Ros2Publisher:
        """From ``[?namespace=N&depth=E&stride=N&domain=N&reliable=1]``; raises SinkError."""
        name, values = split(argument, "ros2", KEYS)
        if name:
            raise usage(f"ros2:{name}: options stand behind a ?, such as ros2:?namespace={name}")
        return cls(TopicOptions.of(values))

    def __enter__(self) -> Ros2Publisher:
        try:
            import rclpy
        except ImportError:
            message = (
                "publishing to ros2 needs rclpy in this Python: source /opt/ros/DISTRO/setup.bash first, "
                f"or publish to zenoh, which needs no ROS ({install_line('zenoh')})"
            )
            raise SinkError(message, exit_code=os.EX_UNAVAILABLE) from None
        try:
            self._context = rclpy.Context()
            # Signals are the program's own: it ends with the frame at hand.
            rclpy.init(context=self._context, domain_id=self.options.domain, signal_handler_options=_no_signals())
            self._node = rclpy.create_node(NODE, context=self._context)
            for topic in TOPICS:
                self._declare(topic)
        except (RuntimeError, ValueError) as error:
            raise SinkError(f"ROS 2 cannot be used: {error}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._node is not None:
            self._node.destroy_node()
            self._node = None
        if self._context is not None:
            self._context.try_shutdown()

    def has_subscriber(self, topic: Topic) -> bool:
        publisher = self._publishers.get(topic.name)
        return publisher is not None and publisher.get_subscription_count() > 0

    def send(self, topic: Topic, message: Message) -> None:
        self._publishers[topic.name].publish(ros_message(message))

    def _declare(self, topic: Topic) -> None:
        try:
            kind = _class_of(topic.type.TYPE)
        except ImportError:
            self._node.get_logger().warning(f"{topic.type.TYPE} is not installed: {topic.name} is not published")
            return
        name = topic.within(self.options.namespace)
        self._publishers[topic.name] = self._node.create_publisher(kind, name, _profile(self.options.quality(topic)))


def ros_message(message: Message) -> Any:
    """The message of the same name that rclpy knows."""
    return _converted(message)


def _converted(value: Any) -> Any:
    if isinstance(value, list):
        return [_converted(each) for each in value]
    if isinstance(value, np.ndarray):
        # ROS checks a plain sequence number by number; an array of its own type it takes as it is.
        return array("B", value.tobytes()) if value.dtype == np.uint8 else value
    if not is_dataclass(value):
        return value
    kind = _class_of(type_name_of(value))
    message = kind()
    for each in fields(value):
        setattr(message, each.name, _fitted(getattr(message, each.name), _converted(getattr(value, each.name))))
    return message


def _fitted(default: Any, value: Any) -> Any:
    """``value`` as the field's ``default`` is: bytes for a level, an array for numbers."""
    if isinstance(default, bytes) and isinstance(value, int):
        return bytes([value])
    if isinstance(default, array) and isinstance(value, np.ndarray):
        return array(default.typecode, value.astype(default.typecode).tobytes())
    return value


def _class_of(type_name: str) -> Any:
    package, _, name = type_name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), name)


def _no_signals() -> Any:
    from rclpy.signals import SignalHandlerOptions

    return SignalHandlerOptions.NO


def _profile(quality: Quality) -> Any:
    from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

    best, latched = quality == "sensor", quality == "latched"
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=DEPTH[quality],
        reliability=ReliabilityPolicy.BEST_EFFORT if best else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
