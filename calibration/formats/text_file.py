"""Writing a file of another program's format: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.storage.atomic_write import write_atomic, write_exit_code


def write_text(path: Path, text: str) -> None:
    """Write ``path``, making its folder; raises CalibrationError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode("utf-8"))
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise CalibrationError(message, exit_code=write_exit_code(error)) from error


def read_text(path: Path, what: str) -> str:
    """The text of ``path``; raises CalibrationError."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        code = 77 if isinstance(error, PermissionError) else 66
        raise CalibrationError(f"cannot read the {what} {path}: {error.strerror}", exit_code=code) from error
    except UnicodeDecodeError as error:
        raise CalibrationError(f"{path} is not a text file") from error
