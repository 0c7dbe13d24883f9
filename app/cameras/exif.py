"""EXIF orientation of JPEG files: how an image has to be turned to be upright."""

from __future__ import annotations

import struct

import numpy as np

from roma_device.calibration.arrays import AnyArray

_ORIENTATION = 0x0112


def orientation(data: bytes) -> int:
    """1 to 8 as the EXIF standard (CIPA DC-008) numbers them; 1, upright, where the file does not say."""
    if not data.startswith(b"\xff\xd8"):
        return 1
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if data[at + 1] == 0xE1 and body.startswith(b"Exif\0\0"):
            return _of_tiff(body[6:])
        at += 2 + max(length, 2)
    return 1


def _of_tiff(tiff: bytes) -> int:
    """Of the first directory of ``tiff``; what is damaged says nothing."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        start = struct.unpack_from(f"{order}I", tiff, 4)[0]
        count = struct.unpack_from(f"{order}H", tiff, start)[0]
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if tag == _ORIENTATION and kind == 3 and 1 <= value <= 8:
                return int(value)
    except struct.error:
        return 1
    return 1


def upright(image: AnyArray, turn: int) -> AnyArray:
    """``image`` (H, W[, C]) as a viewer shows it that honours the orientation ``turn``."""
    if turn >= 5:
        image = np.swapaxes(image, 0, 1)
    if turn in (2, 3, 6, 7):
        image = image[:, ::-1]
    if turn in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
