"""The folder that results go to, checked before the first frame."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from . import SinkError
from .file_sink import sink_error


def prepare_output_folder(path: Path) -> Path:
    """Make ``path`` with its parents and return it once a file could really be written there.

    Permission bits alone tell little: root passes them all, and a full or read-only disk has none.

    Raises SinkError with one sentence.
    """
    _make(path)
    try:
        with tempfile.NamedTemporaryFile(dir=path, prefix=".roma-", buffering=0) as probe:
            probe.write(b"\n")
    except OSError as error:
        raise sink_error(f"cannot write into the output folder {path}", error) from error
    return path


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        places = (place for place in (path, *path.parents) if place.exists() or place.is_symlink())
        message = f"cannot make the output folder {path}: {next(places, path)} is in the way and is no folder"
        raise SinkError(message, exit_code=os.EX_CANTCREAT) from error
    except OSError as error:
        raise sink_error(f"cannot make the output folder {path}", error) from error
