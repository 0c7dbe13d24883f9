"""Readers of images, ground-truth disparity (PFM, PNG, NPY) and masks that an evaluation index names."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.app.sinks.pfm import read_pfm
from roma_device.calibration.arrays import FloatImage, Image, Mask


def read_grey(path: Path) -> Image:
    """The image as (H, W) 8-bit grey, made by the decoder; raises ValueError and OSError.

    Grey values of the decoder, and not of a later conversion, are what the published figures were
    measured on: PNG's are rounded down, so the two differ by one step in half of the pixels.
    """
    return np.asarray(_decoded(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION), dtype=np.uint8)


def read_mask(path: Path) -> Mask:
    """(H, W), true where the stored value is not zero; raises ValueError and OSError."""
    return _single_channel(path) > 0


def read_disparity(path: Path, scale: float, invalid: float | None) -> FloatImage:
    """Disparity (H, W) in px of the stored image, NaN where unknown; raises ValueError and OSError.

    ``scale``: stored value / scale is px. ``invalid``: the stored value that means unknown; None
    where there is none. Values that are not finite are unknown in any case.
    """
    stored = np.asarray(_stored(path), dtype=np.float64)
    unknown = ~np.isfinite(stored)
    if invalid is not None:
        unknown |= stored == invalid
    return np.where(unknown, np.nan, stored / scale).astype(np.float32)


def _stored(path: Path) -> npt.NDArray[Any]:
    match path.suffix.lower():
        case ".pfm":
            return read_pfm(path)
        case ".npy" | ".npz":
            return _first_array(path)
        case _:
            return _single_channel(path)


def _first_array(path: Path) -> npt.NDArray[Any]:
    try:
        content = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        array = content if isinstance(content, np.ndarray) else content[content.files[0]]
    except (ValueError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} holds no numpy array ({error})") from None
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {array.dtype} of shape {array.shape}; disparity takes (H, W) numbers")
    return np.asarray(array)


def _single_channel(path: Path) -> npt.NDArray[Any]:
    """(H, W) as stored, 8 or 16 bit; a grey image saved as colour counts as grey."""
    pixels = _decoded(path, cv2.IMREAD_UNCHANGED)
    pixels = pixels.reshape(*pixels.shape[:2], -1)[..., :3]  # without alpha
    if (pixels != pixels[..., :1]).any():
        raise ValueError(f"{path} is a colour image; one channel is needed")
    return np.ascontiguousarray(pixels[..., 0])


def _decoded(path: Path, flags: int) -> npt.NDArray[Any]:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise ValueError(f"{path} is not an image that OpenCV can read")
    return np.asarray(image)
