"""Device nodes of a board or card that is not there, until this program ends: ``nodes.py NAME ...``.

They are character devices that a program answers (CUSE). The kernel announces them to udev, gives each a number of
its own and asks for rights, as with those of a real driver. Needs root and the module ``cuse``; layouts are those of
linux/fuse.h.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading

HEADER = struct.Struct("<IIQQIIII")
"""fuse_in_header: len, opcode, unique, node, uid, gid, pid, padding."""

ANSWER = struct.Struct("<IiQ")
"""fuse_out_header: len, error, unique."""

INIT = struct.Struct("<8I40x")
"""cuse_init_out: major, minor, unused, flags, max_read, max_write, and the device's numbers (0: any)."""

OPENED = bytes(16)  # fuse_open_out
CUSE_INIT, OPEN, RELEASE, INTERRUPT = 4096, 14, 18, 36
NOT_THERE = -38  # ENOSYS
REQUEST_BYTES = 1 << 18


def serve(name: str) -> None:
    """Be ``/dev/NAME``, which opens and closes and can do nothing else."""
    control = os.open("/dev/cuse", os.O_RDWR)
    while True:
        request = os.read(control, REQUEST_BYTES)
        _length, kind, unique, *_ = HEADER.unpack_from(request)
        if kind == INTERRUPT:
            continue
        error, data = answer(name, kind, request)
        os.write(control, ANSWER.pack(ANSWER.size + len(data), error, unique) + data)


def answer(name: str, kind: int, request: bytes) -> tuple[int, bytes]:
    """Error and data for a request of the kernel."""
    if kind == CUSE_INIT:
        major, minor = struct.unpack_from("<II", request, HEADER.size)
        return 0, INIT.pack(major, minor, 0, 0, 4096, 4096, 0, 0) + f"DEVNAME={name}\0".encode()
    if kind == OPEN:
        return 0, OPENED
    return (0, b"") if kind == RELEASE else (NOT_THERE, b"")


for each in sys.argv[1:]:
    threading.Thread(target=serve, args=(each,), daemon=True).start()
signal.pause()
