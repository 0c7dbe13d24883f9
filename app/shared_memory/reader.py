"""Reader of results in shared memory: the newest frame each time, as the writer had it."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatImage
from roma_device.runtime.rectified_images import RectifiedImages
from roma_device.runtime.types import DepthMap, Frame, Matches, Result, StageTimes, StereoFrame

from .greeting import FRAME, LARGEST_BYTES, REFUSAL, RING, address_of, decode
from .layout import SharedMemoryError
from .record import Record, pose_of, rig_of, text_of
from .ring import Ring

LOOK_S = 0.1
"""How often a wait looks whether to stop."""

SIDES = ("left", "right")
Planes = dict[str, npt.NDArray[np.generic]]


class SharedMemoryReader:
    """Connected to the writer of ``shm:NAME`` from construction to ``close``; raises SharedMemoryError.

    It takes nothing from the writer: one that stops, hangs or dies changes nothing for the others.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._ring: Ring | None = None
        self._last = 0
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            self._connection.connect(address_of(name))
        except OSError as error:
            self._connection.close()
            message = f"nobody publishes to shm:{name}: start roma-device run --publish shm:{name} ({error.strerror})"
            raise SharedMemoryError(message, exit_code=os.EX_UNAVAILABLE) from None
        self._connection.setblocking(False)

    def results(self, stop: threading.Event | None = None) -> Iterator[Result]:
        """Until the writer ends or ``stop`` is set; frames that come faster than they are taken are left out.

        Raises SharedMemoryError where the writer dies.
        """
        while stop is None or not stop.is_set():
            result = self._newest()
            if result is not None:
                yield result
            elif not self._wait(LOOK_S):
                return

    def next(self, timeout_s: float) -> Result | None:
        """The newest result not seen yet; None where none came in time or the writer has ended."""
        end_s = time.monotonic() + timeout_s
        while (result := self._newest()) is None:
            left_s = end_s - time.monotonic()
            if left_s <= 0 or not self._wait(left_s):
                return None
        return result

    def _newest(self) -> Result | None:
        """None where there is nothing new."""
        while self._ring is not None and (number := self._ring.newest) > self._last:
            copied = self._ring.read(number)
            if copied is not None:
                self._last = number
                return _result(self._ring, *copied)
        return None

    def _wait(self, timeout_s: float) -> bool:
        """Until the writer says something; False once it has ended, and nothing is left unread."""
        if not select.select([self._connection], [], [], timeout_s)[0]:
            return True
        with suppress(BlockingIOError):
            while self._hear():
                pass
            return self._ring is not None and self._ring.newest > self._last
        return True

    def _hear(self) -> bool:
        """One message of the writer; False where it closed the connection. Raises SharedMemoryError."""
        try:
            data, descriptors, *_ = socket.recv_fds(self._connection, LARGEST_BYTES, 1)
        except ConnectionResetError:
            data, descriptors = b"", []
        if not data:
            self._check_end()
            return False
        try:
            kind, text = decode(data)
        except SharedMemoryError as error:
            raise SharedMemoryError(f"shm:{self.name}: {error}") from None
        if kind == REFUSAL:
            raise SharedMemoryError(text, exit_code=os.EX_NOPERM)
        if kind == RING and descriptors:
            self._take(Ring.attach(descriptors[0]))
        elif kind not in (RING, FRAME):
            raise SharedMemoryError(f"shm:{self.name}: the writer sent a message of unknown kind {kind}")
        return True

    def _take(self, ring: Ring) -> None:
        if self._ring is not None:
            self._ring.close()
        self._ring = ring

    def _check_end(self) -> None:
        """A writer that ended says so in the ring; one that never had a frame has no ring."""
        if self._ring is not None and not self._ring.has_ended and self._ring.newest <= self._last:
            message = (
                f"the program that published to shm:{self.name} died, or changed the size of its images while this one "
                "stood still: start it again, and then this one"
            )
            raise SharedMemoryError(message, exit_code=os.EX_UNAVAILABLE)

    def close(self) -> None:
        """Leave; the writer notices with its next frame."""
        self._connection.close()
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def __enter__(self) -> SharedMemoryReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SharedImages(RectifiedImages):
    """Rectified images as far as they were published."""

    def __init__(self, planes: Planes) -> None:
        nothing = np.zeros((0, 0), np.uint8)
        self._missing = [side not in planes for side in SIDES]
        left, right = (np.asarray(planes.get(side, nothing), np.uint8) for side in SIDES)
        super().__init__(left, right)

    def _maps(self, side: int) -> None:
        if self._missing[side]:
            message = f"the {SIDES[side]} image was not published: publish shm:NAME?fields={SIDES[side]},depth"
            raise SharedMemoryError(message)


def _result(ring: Ring, record: Record, planes: Planes) -> Result:
    """As the writer had it; the images that stand for the camera's own are the rectified ones."""
    text, (width, height) = text_of(record), ring.layout.size
    unknown = np.full((height, width), np.nan, np.float32)
    depth_m, disparity_px, confidence = (_floats(planes, name) for name in ("depth", "disparity", "confidence"))
    certainty = unknown if confidence is None else confidence
    stamp_ns, index = int(record["timestamp_ns"]), int(record["index"])
    left, right = (np.asarray(planes.get(side, np.zeros((height, width), np.uint8)), np.uint8) for side in SIDES)
    frames = Frame(left, stamp_ns, index), Frame(right, stamp_ns + int(record["skew_ns"]), index)
    return Result(
        frame=StereoFrame(*frames),
        index=index,
        matches=Matches(certainty, disparity_px),
        valid=np.isfinite(next((each for each in (disparity_px, depth_m) if each is not None), unknown)),
        rig=rig_of(record, ring.layout.size),
        depth=None if depth_m is None else DepthMap(depth_m, certainty, stamp_ns),
        images=SharedImages(planes),
        times=StageTimes(text.get("times_ms", {})),
        dropped=int(record["dropped"]),
        pose=pose_of(record, text),
    )


def _floats(planes: Planes, name: str) -> FloatImage | None:
    return np.asarray(planes[name], np.float32) if name in planes else None
