"""A producer that says whatever a test wants, message by message."""

from __future__ import annotations

import array
import os
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

SLOTS, SLOT_BYTES = 4, 64 * 48 * 2


def hello(slots: int = SLOTS, slot_bytes: int = SLOT_BYTES, version: int = 1, magic: bytes = b"RPIP") -> bytes:
    return struct.pack("<4sHHIIQ40s", magic, version, 1, slots, 0, slot_bytes, b"test")


def frame(**changes: Any) -> bytes:
    """A message that is right but for ``changes``."""
    fields = {"slot": 0, "side": 0, "sequence": 0, "timestamp_ns": time.monotonic_ns(), "width": 64, "height": 48}
    fields |= {"stride": 64, "format": b"GREY", "flags": 0, "offset": 0, "reserved": 0}
    return struct.pack("<4sHHIIQQIII4sIIQ", b"RPIP", 1, 2, *(fields | changes).values())


def shared(size: int = SLOTS * SLOT_BYTES) -> int:
    descriptor = os.memfd_create("test")
    os.ftruncate(descriptor, size)
    return descriptor


class RawProducer:
    """Connected from construction to ``close``."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self.socket.connect(str(path))
        self.memory = shared()

    def greet(self, message: bytes | None = None, *descriptors: int) -> None:
        self.send(hello() if message is None else message, *(descriptors or (self.memory,)))

    def send(self, message: bytes, *descriptors: int) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        with suppress(OSError):  # it may have been dropped already
            self.socket.sendmsg([message], rights, socket.MSG_NOSIGNAL)

    def answers(self) -> list[tuple[int, bytes]]:
        """Type and body of what has come back."""
        found = []
        with suppress(OSError):
            while message := self.socket.recv(256):
                found.append((struct.unpack_from("<H", message, 6)[0], message[8:]))
        return found

    def close(self) -> None:
        self.socket.close()
        os.close(self.memory)
