"""Atomic, durable file writes: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

_EXIT_CODES = {
    errno.EACCES: os.EX_NOPERM,
    errno.EPERM: os.EX_NOPERM,
    errno.ENOENT: os.EX_CANTCREAT,
    errno.ENOTDIR: os.EX_CANTCREAT,
    errno.EISDIR: os.EX_CANTCREAT,
    errno.EEXIST: os.EX_CANTCREAT,
    errno.EROFS: os.EX_CANTCREAT,
    errno.ELOOP: os.EX_CANTCREAT,
    errno.ENAMETOOLONG: os.EX_CANTCREAT,
}


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace ``path`` by ``data`` so that a reader sees the old content or the new one, never a part.

    With ``durable`` it has reached the disk on return and survives a power cut. Results of single
    frames go without: a flush for each would hold up the loop by more than the model takes.

    Raises OSError; then ``path`` is as before and no temporary file is left behind.
    """
    temporary = path.parent / f".roma-{secrets.token_hex(6)}.tmp"
    try:
        _write_new(temporary, data, durable)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        flush_folder(path.parent)


def _write_new(path: Path, data: bytes, durable: bool) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make new names in ``folder`` survive a power cut; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_exit_code(error: OSError) -> int:
    """The sysexits code for a write that failed: no permission, no such place, or a fault of the disk."""
    return _EXIT_CODES.get(error.errno or 0, os.EX_IOERR)
