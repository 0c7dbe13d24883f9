"""Results as a bag that ``ros2 bag play``, Foxglove and rosbags open: the messages of app/messages, as CDR in MCAP."""

from __future__ import annotations

import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

from roma_device.app.messages.bag import Bag
from roma_device.app.messages.topics import Maker, messages
from roma_device.runtime.types import Result

from .disk_room import DiskRoom
from .file_sink import told

NAME = "rosbag2"
NAMESPACE = "stereo"


class Rosbag2Sink:
    """The folder ``rosbag2``, begun anew by each run; ``rosbag2-2`` and so on where one is resumed or had trouble.

    ``metadata.yaml`` is written at the end: a bag that a power cut ended lacks it (``ros2 bag reindex`` makes it).
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / NAME
        self._bag: Bag | None = None
        self._maker, self._room = Maker(), DiskRoom(folder)
        self._latched: set[str] = set()
        self._is_resumed = self._is_open = False

    def resume(self) -> None:
        """A bag of its own: what is written cannot be added to."""
        self._is_resumed = True

    def __enter__(self) -> Rosbag2Sink:
        if not self._is_resumed and (self._path / "metadata.yaml").is_file():
            shutil.rmtree(self._path)
        with told(f"cannot write {self._path}"):
            self._begin()
        self._is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        if self._bag is not None:
            bag, self._bag = self._bag, None
            with told(f"cannot finish {bag.path}"):
                bag.close()

    def write(self, result: Result) -> None:
        """Append the messages of one result; raises SinkError."""
        if not self._is_open:
            raise ValueError("results are written inside the sink's with block")
        with told(f"cannot write {self._path}"):
            try:
                self._room.check()
                if self._bag is not None and self._bag.is_gone:
                    self._abandon()
                self._append(self._bag or self._begin(), result)
            except OSError:
                self._abandon()
                raise

    def _append(self, bag: Bag, result: Result) -> None:
        stamp_ns = self._maker.clock.stamp_ns(result.frame.timestamp_ns)
        for topic, message in messages(self._maker, result, lambda topic: topic.name not in self._latched):
            bag.write(topic.within(NAMESPACE), topic.quality, message, stamp_ns)
            if topic.quality == "latched":
                self._latched.add(topic.name)

    def _begin(self) -> Bag:
        paths = (self._path if number == 1 else self._folder / f"{NAME}-{number}" for number in count(1))
        self._bag = Bag.create(next(path for path in paths if not path.exists()))
        self._latched.clear()
        return self._bag

    def _abandon(self) -> None:
        """What the disk refuses ends this bag; the next result begins another."""
        if self._bag is not None:
            with suppress(OSError):
                self._bag.close()
        self._bag = None
