"""Portable float maps, as Middlebury and ETH3D publish disparity: rows bottom-up, +inf for unknown."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatImage
from roma_device.calibration.storage.files import read_regular

_HEADER = re.compile(rb"(P[Ff])\s+(\d{1,9})\s+(\d{1,9})\s+([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)(?:\r\n|\s)")


def encode_pfm(array: npt.ArrayLike) -> bytes:
    """(H, W) -> the bytes of a little-endian grey PFM file.

    Raises ValueError for any other number of axes.
    """
    values = np.asarray(array, dtype="<f4")
    if values.ndim != 2:
        raise ValueError(f"a grey PFM takes (H, W) values, not {values.shape}")
    height, width = values.shape
    return f"Pf\n{width} {height}\n-1.0\n".encode("ascii") + values[::-1].tobytes()


def read_pfm(path: Path) -> FloatImage:
    """Read a grey PFM file of either byte order as (H, W), first row on top.

    Values stay as stored: the scale's sign gives the byte order, and its size is no factor (files
    of Middlebury 2014 carry 0.0039 there and are in pixels all the same).

    Raises ValueError for colour, a damaged header or a wrong length, and OSError.
    """
    data = read_regular(path)
    header = _HEADER.match(data)
    if header is None:
        raise ValueError(f"{path} is not a PFM file")
    if header[1] == b"PF":
        raise ValueError(f"{path} is a colour PFM file; disparity and depth have one channel (Pf)")
    width, height, scale = int(header[2]), int(header[3]), _scale(path, header[4])
    expected, found = width * height * 4, len(data) - header.end()
    if found != expected:
        raise ValueError(f"{path} holds {found} bytes of pixels, but {width}x{height} px take {expected}")
    values = np.frombuffer(data, "<f4" if scale < 0 else ">f4", offset=header.end())
    return np.ascontiguousarray(values.reshape(height, width)[::-1], dtype=np.float32)


def _scale(path: Path, text: bytes) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if scale == 0:
        raise ValueError(f"{path} has the scale {text.decode('ascii')}: its sign must tell the byte order")
    return scale
