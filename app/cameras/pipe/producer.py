"""One producer's connection: greeting, shared memory, and the rules that its frames must keep."""

from __future__ import annotations

import array
import os
import socket
import struct
import time
from collections.abc import Callable

from roma_device.calibration.arrays import Image, Size

from .shared_memory import check_memory, read_luma
from .wire import (
    HELLO,
    LARGEST_MESSAGE_BYTES,
    SIDES,
    FrameMessage,
    Hello,
    WireError,
    read_frame,
    read_hello,
    read_kind,
    refusal,
    release,
)

MOST_DESCRIPTORS = 4
EARLY_NS = 500_000_000
"""A stamp may lie so far in the future: some sensors stamp the time at which the exposure should end."""

ANCILLARY_BYTES = socket.CMSG_SPACE(MOST_DESCRIPTORS * 4)


class Gone(Exception):
    """The producer has closed its end."""


class Producer:
    """From its connection to ``close``; raises WireError in what the producer should not have done."""

    def __init__(self, connection: socket.socket, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.connection, self._clock_ns = connection, clock_ns
        self.pid = _peer_pid(connection)
        self.hello: Hello | None = None
        self.sizes: dict[int, Size] = {}  # of the sides that it feeds
        self.heard_ns = clock_ns()
        self._memory = -1
        self._newest: dict[int, tuple[int, int]] = {}  # side -> stamp, sequence

    def __str__(self) -> str:
        name = f"{self.hello.name!r}, " if self.hello and self.hello.name else ""
        sides = " and ".join(SIDES[side] for side in sorted(self.sizes)) or "no image yet"
        return f"the producer ({name}process {self.pid}, {sides})"

    @property
    def silence_s(self) -> float:
        return (self._clock_ns() - self.heard_ns) / 1e9

    def receive(self) -> FrameMessage | None:
        """The next frame; None where there is no message left. Raises Gone and WireError."""
        while (received := self._message()) is not None:
            message, descriptors = received
            try:
                if read_kind(message) == HELLO:
                    self._greet(read_hello(message), descriptors)
                    continue
                return self._checked(read_frame(message), descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
        return None

    def read(self, frame: FrameMessage) -> Image:
        """The luma of a frame that ``receive`` gave."""
        assert self.hello is not None
        return read_luma(self._memory, frame, self.hello.slot_bytes)

    def give_back(self, frame: FrameMessage) -> None:
        """Raises Gone and WireError where the producer takes no answer any more."""
        self._send(release(frame.slot))

    def close(self, reason: str = "") -> None:
        """``reason`` is told to the producer, where it listens."""
        try:
            if reason:
                self._send(refusal(reason))
        except (WireError, Gone):
            pass
        self.connection.close()
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1

    def _message(self) -> tuple[bytes, list[int]] | None:
        try:
            data, ancillary, flags, _ = self.connection.recvmsg(
                LARGEST_MESSAGE_BYTES, ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
            )
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            raise Gone from None
        descriptors = _descriptors(ancillary)
        if not data and not descriptors:
            raise Gone
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            for descriptor in descriptors:
                os.close(descriptor)
            raise WireError("a message is longer than any, or carries too many descriptors")
        return data, descriptors

    def _greet(self, hello: Hello, descriptors: list[int]) -> None:
        if self.hello is not None:
            raise WireError("a producer greets once")
        if len(descriptors) != 1:
            raise WireError(f"a greeting carries one descriptor, not {len(descriptors)}")
        check_memory(descriptors[0], hello)
        self.hello, self._memory = hello, descriptors.pop()

    def _checked(self, frame: FrameMessage, descriptors: list[int]) -> FrameMessage:
        if self.hello is None:
            raise WireError("a frame came before the greeting")
        if descriptors:
            raise WireError("a frame carries no descriptor: the memory comes with the greeting")
        frame.check(self.hello)
        self._check_order(frame)
        self.sizes[frame.side], self.heard_ns = frame.size, self._clock_ns()
        return frame

    def _check_order(self, frame: FrameMessage) -> None:
        """Stamps and sequence numbers of a side rise, and stamps are of this clock."""
        stamp_ns, sequence = self._newest.get(frame.side, (0, -1))
        side = SIDES[frame.side]
        if frame.timestamp_ns <= stamp_ns:
            back_ms = (stamp_ns - frame.timestamp_ns) / 1e6
            raise WireError(f"the stamps of the {side} image do not rise: one goes back by {back_ms:.3f} ms")
        if frame.sequence <= sequence:
            raise WireError(f"the {side} image's sequence does not rise: {frame.sequence} follows {sequence}")
        if (early_ns := frame.timestamp_ns - self._clock_ns()) > EARLY_NS:
            raise WireError(f"a {side} image is stamped {early_ns / 1e9:.1f} s in the future: CLOCK_MONOTONIC is meant")
        self._newest[frame.side] = frame.timestamp_ns, frame.sequence

    def _send(self, message: bytes) -> None:
        try:
            self.connection.send(message, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
        except BlockingIOError:
            raise WireError("it does not read the slots that it gets back") from None
        except OSError:
            raise Gone from None


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found.tolist()


def _peer_pid(connection: socket.socket) -> int:
    """0 where the process lies in another namespace."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid
