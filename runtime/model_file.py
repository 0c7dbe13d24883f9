"""Files of a model bundle: read, or refused where they are not what the card names."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roma_device.calibration.arrays import Image
from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.files import read_regular

MOST_MODEL_BYTES = 1 << 30


class ModelError(RomaError):
    """A model bundle that cannot be used as it is."""

    exit_code = os.EX_DATAERR


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a bundle and the sha256 that it must have."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """The file's bytes; raises ModelError where it is missing or not the file that the card names."""
        try:
            data = read_regular(self.path, MOST_MODEL_BYTES)
        except OSError as error:
            raise self._unreadable(error) from None
        self._check(data)
        return data

    def mapped(self) -> Image:
        """The same as (bytes,) uint8 in a read-only mapping, which ends with the array: large files stay on disk."""
        try:
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EISDIR, "it is no file")
            empty = found.st_size == 0  # which cannot be mapped
            data = np.zeros(0, np.uint8) if empty else np.memmap(self.path, np.uint8, mode="r")
        except OSError as error:
            raise self._unreadable(error) from None
        self._check(data.data)
        return data

    def _unreadable(self, error: OSError) -> ModelError:
        return ModelError(f"{self.path}: cannot read the model ({error.strerror})", exit_code=os.EX_NOINPUT)

    def _check(self, data: bytes | memoryview) -> None:
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.sha256:
            raise ModelError(
                f"{self.path}: sha256 is {digest[:12]}..., its card says {self.sha256[:12]}...: "
                "the file is damaged or not the one that the card describes; install the bundle again"
            )
