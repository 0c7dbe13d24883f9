"""Results as an MCAP file, which Foxglove and other tools open: image, depth, geometry, and pose where it is known.

Messages are JSON in Foxglove's schemas; a topic without messages has no channel. Chunks are small and synced, so that a
power cut costs at most a second.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from roma_device.runtime.extras import install_line
from roma_device.runtime.types import Result

from . import SinkError
from .foxglove import TOPICS, Message, messages_of
from .growing_file import GrowingFile

NAME = "results.mcap"
CHUNK_BYTES = 64 << 10


class McapSink:
    """``results.mcap``, begun anew by each run; ``results-2.mcap`` and so on where one is resumed or had trouble."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: GrowingFile | None = None
        self._pending = _Pending()
        self._writer_of: Any = None
        self._writer: Any = None
        self._channels: dict[str, int] = {}
        self._epoch_ns: int | None = None  # since 1970, where the frames' clock is 0
        self._is_resumed = self._is_open = False

    def resume(self) -> None:
        """A file of its own: what is written cannot be added to."""
        self._is_resumed = True

    def __enter__(self) -> McapSink:
        try:
            from mcap.writer import Writer
        except ImportError:
            raise SinkError(f"saving mcap needs a package more: {install_line('mcap')}") from None
        self._writer_of = Writer
        self._begin(self._free_path() if self._is_resumed else self._folder / NAME)
        self._is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        if self._file is None:
            return
        self._writer.finish()
        try:
            self._flush(self._file)
        finally:
            self._abandon()

    def write(self, result: Result) -> None:
        """Append the messages of one result; raises SinkError."""
        if not self._is_open:
            raise ValueError("results are written inside the sink's with block")
        messages = list(messages_of(result))
        if self._file is not None and self._file.is_gone:
            self._abandon()
        file = self._file or self._begin(self._free_path())
        for message in messages:
            self._add(result, message)
        self._flush(file)

    def _begin(self, path: Path) -> GrowingFile:
        self._pending = _Pending()
        self._writer = self._writer_of(self._pending, chunk_size=CHUNK_BYTES)
        self._writer.start(profile="", library="roma-device")
        self._channels = {}
        file = GrowingFile(path, of_lines=False)
        file.begin()
        self._file = file
        return file

    def _flush(self, file: GrowingFile) -> None:
        """What the disk refuses ends this file, which stays readable up to there; the next result begins another."""
        data = self._pending.take()
        try:
            if data:
                file.append(data)
        except SinkError:
            self._abandon()
            raise

    def _abandon(self) -> None:
        if self._file is not None:
            self._file.close()
            with suppress(OSError):  # a full disk need not collect empty files
                if not self._file.path.stat().st_size:
                    self._file.path.unlink()
        self._file = None

    def _free_path(self) -> Path:
        path, numbers = self._folder / NAME, count(2)
        while path.exists():
            path = self._folder / NAME.replace(".", f"-{next(numbers)}.")
        return path

    def _add(self, result: Result, message: Message) -> None:
        now_ns = self._since_1970_ns(result.frame.timestamp_ns)
        sec, nsec = divmod(now_ns, 1_000_000_000)
        stamp = {"sec": sec, "nsec": nsec}
        fields = {"timestamp": stamp, "frame_id": message.frame_id, **message.fields}
        if "transforms" in message.fields:  # each with its own frames
            fields = {"transforms": [{"timestamp": stamp, **each} for each in message.fields["transforms"]]}
        data = json.dumps(fields, allow_nan=False).encode()
        self._writer.add_message(self._channel(message.topic), now_ns, data, now_ns, result.index)

    def _channel(self, topic: str) -> int:
        if topic not in self._channels:
            name, schema = TOPICS[topic]
            number = self._writer.register_schema(name, "jsonschema", json.dumps(schema).encode())
            self._channels[topic] = self._writer.register_channel(topic, "json", number)
        return self._channels[topic]

    def _since_1970_ns(self, timestamp_ns: int) -> int:
        if self._epoch_ns is None:
            self._epoch_ns = time.time_ns() - timestamp_ns
        return self._epoch_ns + timestamp_ns


class _Pending:
    """What the writer has made and no file has yet; knows the place in the file, as the writer asks for it."""

    def __init__(self) -> None:
        self._data, self._before = bytearray(), 0

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def tell(self) -> int:
        return self._before + len(self._data)

    def flush(self) -> None:
        """Nothing: only whole results go to the disk."""

    def take(self) -> bytes:
        data = bytes(self._data)
        self._before += len(data)
        self._data.clear()
        return data
