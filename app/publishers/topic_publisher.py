"""What publishers of ROS topics have in common: messages are made only where somebody listens."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import AbstractContextManager

from roma_device.app.messages.topics import Maker, Topic, messages
from roma_device.app.messages.types import Message
from roma_device.runtime.types import Result

from .options import TopicOptions

REPEAT_S = 1.0
"""How often what does not change is sent: who comes late has it after that time."""


class TopicPublisher(AbstractContextManager["TopicPublisher"]):
    """Subclasses say who listens, and send."""

    def __init__(self, options: TopicOptions) -> None:
        self.options = options
        self._maker = Maker(options.stride, options.millimetres)
        self._repeat_s = 0.0

    def write(self, result: Result) -> None:
        """Publish the messages of one result for which there are subscribers; raises SinkError."""
        now_s = time.monotonic()
        is_time = now_s >= self._repeat_s
        if is_time:
            self._repeat_s = now_s + REPEAT_S
        for topic, message in messages(
            self._maker, result, lambda topic: (topic.quality != "latched" or is_time) and self.has_subscriber(topic)
        ):
            self.send(topic, message)

    @abstractmethod
    def has_subscriber(self, topic: Topic) -> bool:
        """Whether a message of the topic would be received by anybody."""

    @abstractmethod
    def send(self, topic: Topic, message: Message) -> None:
        """Publish without waiting for anybody; raises SinkError."""
