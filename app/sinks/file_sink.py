"""What all sinks that write one file per frame have in common."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from abc import ABC, abstractmethod
from io import BufferedWriter, FileIO
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from loguru import logger

from roma_device.calibration.arrays import Image
from roma_device.calibration.storage.atomic_write import write_atomic, write_exit_code
from roma_device.runtime.types import Result

from . import SinkError

SYNC_S = 0.5
"""What a power cut may cost of a file that grows."""


def sink_error(action: str, error: OSError) -> SinkError:
    """``action`` is what failed, as in "cannot write out/000000_depth.png"."""
    return SinkError(f"{action}: {error.strerror or error}", exit_code=write_exit_code(error))


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


class PeriodicSync:
    """Brings a file that grows onto the disk, at most every ``SYNC_S``."""

    def __init__(self) -> None:
        self._last_s = time.monotonic()

    def __call__(self, file: FileIO | BufferedWriter) -> None:
        """Sync ``file`` if it is due; raises OSError."""
        file.flush()
        if time.monotonic() - self._last_s >= SYNC_S:
            os.fdatasync(file.fileno())
            self._last_s = time.monotonic()


class FileSink(ABC):
    """Writes ``NNNNNN<suffix>`` for each result that it can encode; subclasses say how."""

    suffix: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._explained = False

    def __enter__(self) -> FileSink:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing stays open between two results."""
        return

    @abstractmethod
    def encode(self, result: Result) -> bytes | None:
        """The content of the file, or None to write none."""

    def write(self, result: Result) -> None:
        """Store one result; raises SinkError."""
        data = self.encode(result)
        if data is None:
            return
        path = self.folder / f"{result.index:06d}{self.suffix}"
        try:
            write_atomic(path, data, durable=False)
        except OSError as error:
            raise sink_error(f"cannot write {path}", error) from error

    def explain_once(self, reason: str) -> None:
        """Say why nothing is written, at the first frame alone."""
        if not self._explained:
            logger.warning(reason)
            self._explained = True
