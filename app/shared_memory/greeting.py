"""What a writer says to its readers, over a local socket that has no file: whoever dies, nothing is left behind."""

from __future__ import annotations

import os
import re
import struct

from .layout import VERSION, SharedMemoryError

MAGIC = b"RSHM"
RING, FRAME, REFUSAL = 1, 2, 3
MESSAGE = struct.Struct("<4sHHQ")
"""Mark, layout version, kind, number of the frame. With RING comes the ring's descriptor, with REFUSAL a sentence."""

LARGEST_BYTES = 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def address_of(name: str) -> str:
    """The abstract address of the writer's socket; raises SharedMemoryError for what is no name."""
    if not _NAME.fullmatch(name):
        message = f"shm:{name} is no name: take letters, digits, '.', '_' and '-', 64 at most"
        raise SharedMemoryError(message, exit_code=os.EX_USAGE)
    return f"\0roma-device/{name}"


def encode(kind: int, number: int = 0, text: str = "") -> bytes:
    return MESSAGE.pack(MAGIC, VERSION, kind, number) + text.encode()


def decode(data: bytes) -> tuple[int, str]:
    """Kind and text of a message; raises SharedMemoryError where it is none of this version."""
    if len(data) < MESSAGE.size or data[:4] != MAGIC:
        raise SharedMemoryError("what answers there does not speak as roma-device does")
    _, version, kind, _ = MESSAGE.unpack_from(data)
    if version != VERSION:
        raise SharedMemoryError(
            f"the ring has layout version {version}, this program reads version {VERSION}: "
            "use the same release of roma-device on both sides"
        )
    return kind, data[MESSAGE.size :].decode("utf-8", "replace")
