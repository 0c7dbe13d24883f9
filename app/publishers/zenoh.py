"""Publisher over Zenoh, as rmw_zenoh publishes: nodes of ROS 2 that use that middleware see the topics as ROS's own.

Keys, liveliness tokens and attachments follow rmw_zenoh's design (https://github.com/ros2/rmw_zenoh, docs/design.md).
It has been held against clients that others wrote, not against rmw_zenoh itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import time
from typing import Any

from roma_device.app.messages.cdr import DISTROS, CdrError, Encoder
from roma_device.app.messages.topics import TOPICS, Quality, Topic
from roma_device.app.messages.types import Message
from roma_device.app.sinks import SinkError
from roma_device.runtime.extras import install_line

from .options import KEYS, TopicOptions, split, usage
from .topic_publisher import TopicPublisher

ROUTER = "tcp/localhost:7447"
"""Where rmw_zenoh looks for its router."""

NODE = "roma_device"
NO_HASH = "TypeHashNotSupported"
"""In place of the type's hash in Humble, which knows none."""

QUALITIES: dict[Quality, str] = {"sensor": "2:2:1,5", "reliable": "1:2:1,10", "latched": "1:1:1,1"}
"""Reliability, durability, history and depth as numbers of rmw."""

_ATTACHMENT = struct.Struct("<qqB16s")
"""Sequence number, ns since 1970, length of the id, id of the publisher."""

_ENDPOINT = re.compile(r"(tcp|tls|quic|udp|unixsock-stream)/[^\s?]+")


def topic_key(domain: int, topic: str, type_name: str, type_hash: str) -> str:
    """The key that messages are put to."""
    return f"{domain}/{topic.strip('/')}/{dds_name(type_name)}/{type_hash}"


def dds_name(type_name: str) -> str:
    """``sensor_msgs/msg/Image`` -> ``sensor_msgs::msg::dds_::Image_``."""
    package, kind, name = type_name.split("/")
    return f"{package}::{kind}::dds_::{name}_"


class ZenohPublisher(TopicPublisher):
    """``zenoh[:ENDPOINT][?distro=...]``; a context manager."""

    def __init__(self, endpoint: str, distro: str, options: TopicOptions) -> None:
        super().__init__(options)
        self._endpoint, self._distro = endpoint, distro
        self._session: Any = None
        self._publishers: dict[str, _Channel] = {}

    @classmethod
    def from_spec(cls, argument: str) -> ZenohPublisher:
        """From ``[ENDPOINT][?distro=D&namespace=N&depth=E&stride=N&domain=N&reliable=1]``; raises SinkError."""
        endpoint, values = split(argument, "zenoh", (*KEYS, "distro"))
        if endpoint and not _ENDPOINT.fullmatch(endpoint):
            raise usage(f"zenoh:{endpoint} is no endpoint such as {ROUTER}")
        if (distro := values.get("distro", "jazzy")) not in DISTROS:
            raise usage(f"distro: {distro!r} is not one of {', '.join(DISTROS)}")
        return cls(endpoint or ROUTER, distro, TopicOptions.of(values))

    def __enter__(self) -> ZenohPublisher:
        try:
            import zenoh
        except ImportError:
            message = f"publishing to zenoh needs packages more: {install_line('zenoh')}"
            raise SinkError(message, exit_code=os.EX_UNAVAILABLE) from None
        try:
            encoder = Encoder(self._distro)
            self._session = zenoh.open(_config(zenoh, self._endpoint))
        except CdrError as error:
            raise SinkError(str(error), exit_code=os.EX_UNAVAILABLE) from None
        except zenoh.ZError as error:
            raise SinkError(f"cannot open a session with {self._endpoint}: {error}") from None
        place = _Place(self._session, self.options, self._distro)
        self._node = self._session.liveliness().declare_token(place.token(0, "NN"))
        self._publishers = {
            topic.name: _Channel(zenoh, place, encoder, topic, number) for number, topic in enumerate(TOPICS, 1)
        }
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def has_subscriber(self, topic: Topic) -> bool:
        return self._publishers[topic.name].has_subscriber

    def send(self, topic: Topic, message: Message) -> None:
        self._publishers[topic.name].send(message)


class _Place:
    """Who we are in the graph of nodes."""

    def __init__(self, session: Any, options: TopicOptions, distro: str) -> None:
        self.session, self.options, self.distro = session, options, distro
        self._zid = str(session.info.zid())

    def token(self, entity: int, kind: str, *more: str) -> str:
        """A liveliness token, by which a node or publisher is seen."""
        head = f"@ros2_lv/{self.options.domain}/{self._zid}/0/{entity}/{kind}/%/%/{NODE}"
        return "/".join([head, *more])


class _Channel:
    """One topic."""

    def __init__(self, zenoh: Any, place: _Place, encoder: Encoder, topic: Topic, number: int) -> None:
        name, type_name = topic.within(place.options.namespace), topic.type.TYPE
        type_hash = NO_HASH if place.distro == "humble" else encoder.hash_of(type_name)
        quality = f"{QUALITIES[place.options.quality(topic)]}:,:,:,,"
        described = (name.replace("/", "%"), dds_name(type_name), type_hash, quality)
        token = place.token(number, "MP", *described)
        self._encoder, self._sent = encoder, 0
        self._id = hashlib.blake2b(token.encode(), digest_size=16).digest()
        # A subscriber that does not keep up loses messages, of every quality: the loop does not wait for anybody.
        self._publisher = place.session.declare_publisher(
            topic_key(place.options.domain, name, type_name, type_hash),
            congestion_control=zenoh.CongestionControl.DROP,
        )
        self._token = place.session.liveliness().declare_token(token)
        # Told by a thread of Zenoh when it changes: asking of each topic for each frame takes a tenth of a millisecond.
        self.has_subscriber = False
        self._listener = self._publisher.declare_matching_listener(self._tell)
        if self._publisher.matching_status.matching:
            self.has_subscriber = True

    def _tell(self, status: Any) -> None:
        self.has_subscriber = bool(status.matching)

    def send(self, message: Message) -> None:
        self._sent += 1
        attachment = _ATTACHMENT.pack(self._sent, time.time_ns(), len(self._id), self._id)
        self._publisher.put(bytes(self._encoder.encode(message)), attachment=attachment)


def _config(zenoh: Any, endpoint: str) -> Any:
    """A peer that looks for its router there, is not found by multicast and can be reached from this machine alone."""
    config = zenoh.Config()
    for key, value in (
        ("mode", "peer"),
        ("connect/endpoints", [endpoint]),
        ("connect/timeout_ms", 0),
        ("connect/exit_on_failure", False),
        ("listen/endpoints", ["tcp/localhost:0"]),
        ("scouting/multicast/enabled", False),
        ("transport/shared_memory/enabled", False),  # whose segments would stay in /dev/shm, even after an orderly end
    ):
        config.insert_json5(key, json.dumps(value))
    return config
