"""Files that grow with the run: pieces go in whole or not at all, reach the disk soon, and survive trouble with it."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from io import FileIO
from pathlib import Path

from loguru import logger

from .disk_room import DiskRoom
from .file_sink import append_whole, told

SYNC_S = 0.5
"""What a power cut may cost of a file that grows."""


MOST_TORN_BYTES = 1 << 20


def drop_torn_line(file: FileIO) -> None:
    """Cut off what follows the last end of a line, and go to the end; raises OSError."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - MOST_TORN_BYTES)
    file.seek(start)
    kept = start + file.read(MOST_TORN_BYTES).rfind(b"\n") + 1
    if kept < size and (kept > start or start == 0):
        file.truncate(kept)
    file.seek(0, os.SEEK_END)


class GrowingFile:
    """``append`` raises SinkError where the disk refuses, and the next one tries anew.

    What was written stays. A file of lines that trouble closed is gone on with behind its last whole line, its folder
    is made again where it vanished, and one that was removed or replaced is begun anew.
    """

    def __init__(self, path: Path, header: bytes = b"", *, of_lines: bool = True) -> None:
        """``header``: what a new file begins with. What is not ``of_lines`` cannot be gone on with."""
        self.path, self._header, self._of_lines = path, header, of_lines
        self._file: FileIO | None = None
        self._synced_s = time.monotonic()
        self._room = DiskRoom(path.parent)

    def begin(self, *, resume: bool = False) -> None:
        """Make the file, in place of an older one unless ``resume``; raises SinkError."""
        with told(f"cannot write {self.path}"):
            self._open("a" if resume else "w")

    def append(self, data: bytes) -> None:
        """All of ``data`` or nothing of it; raises SinkError."""
        with told(f"cannot write {self.path}"):
            self._room.check()
            file = self._usable()
            try:
                append_whole(file, data)
                self._sync_if_due(file)
            except OSError:
                self._forget()
                raise

    def _usable(self) -> FileIO:
        if self._file is not None and self.is_gone:
            self._forget()
            if self._of_lines:
                logger.warning(f"{self.path} was removed: it is begun anew")
        if self._file is None and not self._of_lines:
            raise FileNotFoundError(errno.ENOENT, "it was removed")
        return self._file or self._open("a")

    @property
    def is_gone(self) -> bool:
        """Whether the name no longer leads to the file that is written."""
        if self._file is None:
            return True
        try:
            named, ours = self.path.stat(), os.fstat(self._file.fileno())
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # a disk in trouble says nothing about the name
            return False
        return (named.st_dev, named.st_ino) != (ours.st_dev, ours.st_ino)

    def close(self) -> None:
        """Bring it onto the disk; what could not be written was said when it was."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fdatasync(self._file.fileno())
        self._forget()

    def _open(self, mode: str) -> FileIO:
        try:
            file = FileIO(self.path, f"{mode}+")
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = FileIO(self.path, f"{mode}+")
        try:
            if mode == "a":
                drop_torn_line(file)
            if self._header and os.fstat(file.fileno()).st_size == 0:
                append_whole(file, self._header)
        except OSError:
            file.close()
            raise
        self._file = file
        return file

    def _sync_if_due(self, file: FileIO) -> None:
        if time.monotonic() - self._synced_s >= SYNC_S:
            os.fdatasync(file.fileno())
            self._synced_s = time.monotonic()

    def _forget(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None
