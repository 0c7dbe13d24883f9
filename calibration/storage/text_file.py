"""Text, JSON and binary files as a whole, in and out: a failure is one sentence with the sysexits code that fits.

``what`` is what the file holds, for the sentence; ``error`` the class that is raised.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

from roma_device.calibration.errors import CalibrationError, RomaError

from .atomic_write import write_atomic, write_exit_code

_READ_EXIT_CODES = {
    errno.EACCES: os.EX_NOPERM,
    errno.EPERM: os.EX_NOPERM,
    errno.ENOENT: os.EX_NOINPUT,
    errno.ENOTDIR: os.EX_NOINPUT,
    errno.EISDIR: os.EX_NOINPUT,
    errno.ELOOP: os.EX_NOINPUT,
    errno.ENAMETOOLONG: os.EX_NOINPUT,
}


def read_exit_code(error: OSError) -> int:
    """The sysexits code for a file that cannot be read: no permission, no such file, or a fault of the disk."""
    return _READ_EXIT_CODES.get(error.errno or 0, os.EX_IOERR)


def read_bytes(path: Path, what: str = "", error: type[RomaError] = CalibrationError) -> bytes:
    """All of a file."""
    try:
        return path.read_bytes()
    except OSError as reason:
        message = f"{path}: cannot read {f'the {what}' if what else 'it'} ({reason.strerror or reason})"
        raise error(message, exit_code=read_exit_code(reason)) from None


def read_text(path: Path, what: str = "", error: type[RomaError] = CalibrationError) -> str:
    """A file in UTF-8."""
    data = read_bytes(path, what, error)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as reason:
        place = f"{reason.reason} at byte {reason.start}"
        raise error(f"{path}: not a text file: not UTF-8 text ({place})") from None


def read_json(path: Path, what: str = "", error: type[RomaError] = CalibrationError) -> Any:
    """What a JSON file holds."""
    data = read_bytes(path, what, error)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as reason:
        raise error(f"{path}: not valid JSON: {reason}", exit_code=os.EX_DATAERR) from None


def write_bytes(path: Path, data: bytes, what: str = "", *, make_folder: bool = False) -> None:
    """Replace ``path`` as a whole or not at all (atomic_write.py); raises CalibrationError."""
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
