"""What sinks have in common: files written whole or line by line, and the folder that they go to."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from abc import abstractmethod
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from loguru import logger

from roma_device.app.sinks import SinkError
from roma_device.calibration.arrays import Image
from roma_device.calibration.storage.files import write_atomic, write_exit_code
from roma_device.runtime.types import Result

from .disk_room import DiskRoom


@contextlib.contextmanager
def told(failure: str) -> Iterator[None]:
    """A SinkError for what the disk refuses; ``failure`` is as in "cannot write out/000000_depth.png"."""
    try:
        yield
    except OSError as error:
        raise SinkError(f"{failure}: {error.strerror or error}", exit_code=write_exit_code(error)) from error


def encode_png(image: Image | npt.NDArray[np.uint16]) -> bytes:
    """(H, W) or (H, W, 3) BGR, 8 or 16 bit -> the bytes of a PNG file."""
    done, data = cv2.imencode(".png", image)
    if not done:
        raise SinkError(f"OpenCV could not encode an image of shape {image.shape} as PNG")
    return bytes(data)


def left_image(result: Result) -> Image:
    """The rectified left image (H, W, 3) BGR."""
    left = result.images.left
    return np.repeat(left[:, :, None], 3, axis=2) if left.ndim == 2 else left


def append_whole(file: FileIO, line: bytes) -> None:
    """All of ``line`` or nothing of it; raises OSError."""
    end = file.tell()
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(end)
            file.seek(end)
        raise


class FileSink(contextlib.AbstractContextManager["FileSink"]):
    """Writes ``NNNNNN<suffix>`` for each result that it can encode; subclasses say how."""

    suffix: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._explained = False
        self._room = DiskRoom(folder)

    def __exit__(self, *error: object) -> None:
        """Nothing stays open between two results."""
        return

    def resume(self) -> None:
        """Each frame has a file of its own: nothing is in the way of the next."""

    @abstractmethod
    def encode(self, result: Result) -> bytes | None:
        """The content of the file, or None to write none."""

    def write(self, result: Result) -> None:
        """Store one result; raises SinkError."""
        data = self.encode(result)
        if data is None:
            return
        path = self.folder / f"{result.index:06d}{self.suffix}"
        with told(f"cannot write {path}"):
            self._room.check()
            try:
                write_atomic(path, data, durable=False)
            except FileNotFoundError:
                self.folder.mkdir(parents=True, exist_ok=True)
                write_atomic(path, data, durable=False)

    def explain_once(self, reason: str) -> None:
        """Say why nothing is written, at the first frame alone."""
        if not self._explained:
            logger.warning(reason)
            self._explained = True


def prepare_output_folder(path: Path) -> Path:
    """Make ``path`` with its parents and return it once a file could really be written there.

    Permission bits alone tell little: root passes them all, and a full or read-only disk has none.

    Raises SinkError with one sentence.
    """
    _make(path)
    failure = f"cannot write into the output folder {path}"
    with told(failure), tempfile.NamedTemporaryFile(dir=path, prefix=".roma-", buffering=0) as probe:
        probe.write(b"\n")
    return path


def _make(path: Path) -> None:
    with told(f"cannot make the output folder {path}"):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            places = (place for place in (path, *path.parents) if place.exists() or place.is_symlink())
            message = f"cannot make the output folder {path}: {next(places, path)} is in the way and is no folder"
            raise SinkError(message, exit_code=os.EX_CANTCREAT) from error
