"""Files as a whole, in and out; what is written is whole or not at all. A failure is one sentence with its exit code.

``what`` is what the file holds, for the sentence; ``error`` the class that is raised.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import json
import os
import secrets
import stat
from io import FileIO
from pathlib import Path
from typing import Any

from roma_device.calibration.errors import CalibrationError, RomaError

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


_READ_EXIT_CODES = {
    errno.EACCES: os.EX_NOPERM,
    errno.EPERM: os.EX_NOPERM,
    errno.ENOENT: os.EX_NOINPUT,
    errno.ENOTDIR: os.EX_NOINPUT,
    errno.EISDIR: os.EX_NOINPUT,
    errno.ELOOP: os.EX_NOINPUT,
    errno.ENAMETOOLONG: os.EX_NOINPUT,
    errno.EFBIG: os.EX_DATAERR,
}


def read_exit_code(error: OSError) -> int:
    """The sysexits code for a file that cannot be read: no permission, no such file, or a fault of the disk."""
    return _READ_EXIT_CODES.get(error.errno or 0, os.EX_IOERR)


MOST_BYTES = 512 << 20
MOST_TEXT_BYTES = 8 << 20
"""Larger files are refused before they are read, unless the reader says otherwise: none takes all memory or hours."""


def read_regular(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """All of a regular file; raises OSError, also for pipes, devices and what is larger than ``most_bytes``.

    A pipe is not waited for, and a file that grows meanwhile is not followed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with FileIO(descriptor) as file:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EISDIR, "it is a pipe or a device, not a file")
        if found.st_size > most_bytes:
            size, most = found.st_size / (1 << 20), most_bytes / (1 << 20)
            raise OSError(errno.EFBIG, f"it has {size:.0f} MiB, more than the {most:.0f} MiB that such a file may have")
        return file.read(most_bytes)


def read_bytes(
    path: Path, what: str = "", error: type[RomaError] = CalibrationError, most_bytes: int = MOST_BYTES
) -> bytes:
    """All of a regular file of at most ``most_bytes``."""
    try:
        return read_regular(path, most_bytes)
    except OSError as reason:
        message = f"{path}: cannot read {f'the {what}' if what else 'it'} ({reason.strerror or reason})"
        raise error(message, exit_code=read_exit_code(reason)) from None


def read_text(
    path: Path, what: str = "", error: type[RomaError] = CalibrationError, most_bytes: int = MOST_TEXT_BYTES
) -> str:
    """A file in UTF-8, or in what its byte order mark says; without the mark, with plain ends of lines."""
    return decoded(read_bytes(path, what, error, most_bytes), path, error)


def decoded(data: bytes, path: Path, error: type[RomaError] = CalibrationError) -> str:
    """The text of a file's bytes; ``path`` is for messages alone."""
    is_utf_16 = len(data) > 2 and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if is_utf_16 else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as reason:
        place = f"{reason.reason} at byte {reason.start}"
        raise error(f"{path}: not a text file: not UTF-8 text ({place})") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(
    path: Path, what: str = "", error: type[RomaError] = CalibrationError, most_bytes: int = MOST_TEXT_BYTES
) -> Any:
    """What a JSON file holds."""
    text = read_text(path, what, error, most_bytes)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise error(f"{path}: not valid JSON: {reason}", exit_code=os.EX_DATAERR) from None


def write_bytes(path: Path, data: bytes, what: str = "", *, make_folder: bool = False) -> None:
    """Replace ``path`` as a whole or not at all; raises CalibrationError."""
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as reason:
        message = f"cannot write {f'the {what} ' if what else ''}{path}: {reason.strerror}"
        raise CalibrationError(message, exit_code=write_exit_code(reason)) from reason


def write_text(path: Path, text: str, what: str = "", *, make_folder: bool = False) -> None:
    """The same in UTF-8."""
    write_bytes(path, text.encode("utf-8"), what, make_folder=make_folder)
