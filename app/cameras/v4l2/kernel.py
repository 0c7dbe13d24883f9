"""System calls for V4L2 (open, ioctl, mmap, poll, close): the seam where tests put a kernel of their own."""

from __future__ import annotations

import fcntl
import mmap
import os
import select
from ctypes import Structure, c_int
from typing import Protocol

Argument = Structure | c_int


class Kernel(Protocol):
    """All raise OSError as the system does."""

    def open(self, path: str) -> int:
        """A descriptor for reading and writing that never blocks."""

    def ioctl(self, descriptor: int, request: int, argument: Argument) -> None:
        """The kernel reads ``argument`` and may change it."""

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        """A buffer that the driver writes into."""

    def wait(self, descriptors: list[int], timeout_s: float) -> list[int]:
        """Those that have a frame, or are broken; none after the timeout."""

    def close(self, descriptor: int) -> None: ...


class LinuxKernel:
    """The real one."""

    def open(self, path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def ioctl(self, descriptor: int, request: int, argument: Argument) -> None:
        fcntl.ioctl(descriptor, request, argument)

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        return mmap.mmap(descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def wait(self, descriptors: list[int], timeout_s: float) -> list[int]:
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        return [descriptor for descriptor, _ in poll.poll(1000 * timeout_s)]

    def close(self, descriptor: int) -> None:
        os.close(descriptor)
