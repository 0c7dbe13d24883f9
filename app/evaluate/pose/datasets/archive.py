"""Restricted unpickling of .npz arrays, lists of Python's objects among them: nothing in a stranger's file is run.

The published indices keep tuples in arrays of objects, which numpy stores by pickle, and a pickle can call anything.
Here it may build numpy's own arrays, types and numbers, and nothing else.
"""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.calibration.arrays import AnyArray
from roma_device.calibration.storage.files import read_bytes

_SAFE = {"_reconstruct", "scalar", "ndarray", "dtype", "_frombuffer"}
_MODULES = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric"}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _SAFE:
            return super().find_class(module.replace("numpy.core", "numpy._core") if _HAS_CORE else module, name)
        raise pickle.UnpicklingError(f"holds {module}.{name}, which an index has no need of")


_HAS_CORE = hasattr(np, "_core")


def names_in(path: Path) -> set[str]:
    """Names of the arrays in the file; raises EvaluationError."""
    with _opened(path) as archive:
        return {Path(name).stem for name in archive.namelist()}


def read_array(path: Path, name: str) -> AnyArray:
    """The array ``name``, of numbers, texts or objects; raises EvaluationError."""
    with _opened(path) as archive:
        if f"{name}.npy" not in archive.namelist():
            raise EvaluationError(f"{path}: has no array {name!r}")
        try:
            return _parsed(archive.read(f"{name}.npy"))
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, pickle.UnpicklingError) as error:
            raise EvaluationError(f"{path}: {name}: {error}") from None
        except Exception as error:  # a pickle that is damaged may raise anything
            raise EvaluationError(f"{path}: {name}: not an array ({error!r})") from None


def _parsed(data: bytes) -> AnyArray:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    if not dtype.hasobject:
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    found = np.asarray(_Unpickler(stream, encoding="latin1").load(), dtype=object)
    if found.shape != shape:
        raise ValueError(f"holds an array of shape {found.shape}, not {shape}")
    return found


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(read_bytes(path, error=EvaluationError)))
    except zipfile.BadZipFile:
        raise EvaluationError(f"{path}: is not an .npz file") from None
