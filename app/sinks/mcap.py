"""Results as an MCAP file, which Foxglove and other tools open, on the channels that are offered live, too.

Depth is a PNG of 16 bits: its prediction by neighbours makes it smaller than any compression of a chunk could. A topic
without messages has no channel. Chunks are small and synced, so that a power cut costs at most a second.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from roma_device.app.foxglove.channels import CHANNELS, DEPTH_AS_PNG, Channel, Maker, encoded
from roma_device.runtime.extras import install_line
from roma_device.runtime.types import Result

from . import SinkError
from .growing_file import GrowingFile

CHUNK_BYTES = 64 << 10


class McapSink:
    """``results.mcap``, begun anew by each run; ``results-2.mcap`` and so on where one is resumed or had trouble."""

    name = "results.mcap"
    channels = DEPTH_AS_PNG

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: GrowingFile | None = None
        self._pending = _Pending()
        self._writer_of: Any = None
        self._writer: Any = None
        self._channels: dict[str, int] = {}
        self._maker = Maker()
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
        self._begin(self._free_path() if self._is_resumed else self._folder / self.name)
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
        messages = list(encoded(self._maker, result, lambda channel: channel.in_file, self.channels))
        if self._file is not None and self._file.is_gone:
            self._abandon()
        file = self._file or self._begin(self._free_path())
        stamp_ns = self._maker.stamp_ns(result)
        for channel, data in messages:
            self._writer.add_message(self._channel(channel), stamp_ns, data, stamp_ns, result.index)
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
        path, numbers = self._folder / self.name, count(2)
        while path.exists():
            path = self._folder / self.name.replace(".", f"-{next(numbers)}.")
        return path

    def _channel(self, channel: Channel) -> int:
        if channel.topic not in self._channels:
            schema = self._writer.register_schema(*channel.schema())
            self._channels[channel.topic] = self._writer.register_channel(channel.topic, channel.encoding, schema)
        return self._channels[channel.topic]


class McapRawSink(McapSink):
    """``results-raw.mcap``: depth as plain millimetres, as it is live; a quarter larger, and half the work."""

    name = "results-raw.mcap"
    channels = CHANNELS


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
