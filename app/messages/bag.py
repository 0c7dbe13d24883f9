"""Bags of ROS 2 with messages as CDR: a rosbag2 folder, or a single MCAP file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cdr import CdrError, Encoder
from .types import Message

DEPTH = {"sensor": 5, "reliable": 10, "latched": 1}


class Bag:
    """A bag that is being written; raises OSError where the disk refuses."""

    def __init__(self, path: Path, writer: Any, encoder: Encoder) -> None:
        self.path, self._writer, self._encoder = path, writer, encoder
        self._connections: dict[str, Any] = {}
        self.messages = 0

    @classmethod
    def create(cls, path: Path, distro: str = "jazzy") -> Bag:
        """A new folder ``path``; raises CdrError where it is there already, or rosbags is missing."""
        encoder = Encoder(distro, "rosbag2")
        from rosbags.rosbag2 import StoragePlugin, Writer

        # Version 8 of metadata.yaml is what Humble reads, too.
        writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
        _open(writer)
        return cls(path, writer, encoder)

    def write(self, topic: str, quality: str, message: Message, stamp_ns: int) -> None:
        """Append a message; the topic is declared with its first one."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, message.TYPE, typestore=self._encoder.typestore, offered_qos_profiles=[_profile(quality)]
            )
        self._writer.write(self._connections[topic], stamp_ns, self._encoder.encode(message))
        self.messages += 1

    @property
    def is_gone(self) -> bool:
        """Whether somebody has removed it."""
        return not (self.path / f"{self.path.name}.mcap").is_file()

    def close(self) -> None:
        """Write the index and ``metadata.yaml``."""
        self._writer.close()


def _open(writer: Any) -> None:
    from rosbags.rosbag2 import WriterError

    opened: Callable[[], None] = writer.open
    try:
        opened()
    except WriterError as error:
        raise CdrError(f"cannot write the bag: {error}") from None


def _profile(quality: str) -> Any:
    """What the topic offers, as a recorder would have noted it: ``ros2 bag play`` offers the same."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    best, latched = quality == "sensor", quality == "latched"
    forever = QosTime(2147483647, 4294967295)
    return Qos(
        QosHistory.KEEP_LAST,
        DEPTH[quality],
        QosReliability.BEST_EFFORT if best else QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        forever,
        forever,
        QosLiveliness.AUTOMATIC,
        forever,
        False,
    )
