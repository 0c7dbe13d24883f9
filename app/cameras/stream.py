"""Live network streams (RTSP, MJPEG over HTTP, UDP): opened again where they end or stall, and the newest pair wins."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from itertools import count

from loguru import logger

from roma_device.calibration.arrays import Image
from roma_device.runtime.types import Frame, StereoFrame

from . import CameraError, CaptureCounts, LiveCamera
from .video_stream import Stream, check_sizes, sides

STALL_S = 5.0
"""A stream that gives nothing for so long is opened again."""

RECONNECT_S = 20.0
"""Where it gives nothing for so long, the run ends with EX_UNAVAILABLE, and the service manager starts it again."""

CLOSE_PATIENCE_S = 0.5
PAUSES_S = (0.2, 0.5, 1.0, 2.0)
MOST_LAG_S = 2.0
"""Two streams whose pictures come further apart than that are not of the same moment."""


class StreamCamera(LiveCamera):
    """One side-by-side stream, or a left and a right one; stamped when their pictures arrive, for want of better."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Opens the streams; raises CameraError where one cannot be had."""
        self._names, self._stop = names, threading.Event()
        self.counts = CaptureCounts()
        self._in_use = threading.Lock()  # by whoever waits for a picture: nobody may close a stream meanwhile
        self._streams = self._opened()
        self._sequence = count()

    def stop(self) -> None:
        self._stop.set()

    def frames(self) -> Iterator[StereoFrame]:
        """Until ``stop``; raises CameraError where no picture has come for RECONNECT_S."""
        while not self._stop.is_set():
            yield from self._until_it_breaks()
            if not self._stop.is_set():
                self._reconnect()

    def _read(self) -> tuple[list[Image], list[int]] | None:
        """Pictures and when they came; None where a stream ended or stands still."""
        images: list[Image] = []
        stamps_ns: list[int] = []
        with self._in_use:
            for stream in self._streams:
                image = stream.read()
                if image is None:
                    return None
                images.append(image)
                stamps_ns.append(time.monotonic_ns())
        return images, stamps_ns

    def _until_it_breaks(self) -> Iterator[StereoFrame]:
        while not self._stop.is_set() and (read := self._read()) is not None:
            images, stamps_ns = read
            if stamps_ns[-1] - stamps_ns[0] > MOST_LAG_S * 1e9:
                self.counts.drop("unpaired")
                continue
            self.counts.pairs += 1
            yield self._frame(images, stamps_ns)

    def _frame(self, images: list[Image], stamps_ns: list[int]) -> StereoFrame:
        left, right = sides(images)
        sequence = next(self._sequence)
        return StereoFrame(Frame(left, stamps_ns[0], sequence), Frame(right, stamps_ns[-1], sequence))

    def _reconnect(self) -> None:
        """Raises CameraError after RECONNECT_S in vain."""
        self._close()
        logger.warning(f"{' and '.join(self._names)}: the stream ended or stands still; trying to get it back")
        began_s, pauses = time.monotonic(), iter(PAUSES_S)
        while not self._stop.wait(next(pauses, PAUSES_S[-1])):
            try:
                self._streams = self._opened()
            except CameraError as error:
                if error.exit_code != os.EX_UNAVAILABLE or time.monotonic() - began_s > RECONNECT_S:
                    raise
                continue
            self.counts.reconnects += 1
            return

    def _opened(self) -> list[Stream]:
        streams: list[Stream] = []
        try:
            for name in self._names:
                streams.append(Stream(name, STALL_S))
            check_sizes(streams)
        except BaseException:
            for stream in streams:
                stream.close()
            raise
        self.counts.is_connected = True
        return streams

    def _close(self) -> None:
        self.counts.is_connected = False
        for stream in self._streams:
            stream.close()
        self._streams = []

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._in_use.acquire(timeout=CLOSE_PATIENCE_S):  # a decoder that hangs is left behind, not pulled away
            self._close()
            self._in_use.release()
