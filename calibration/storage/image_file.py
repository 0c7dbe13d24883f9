"""Image files as arrays: the size is read from the header before anything is decoded, so no file takes all memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import cv2
import numpy as np

from roma_device.calibration.arrays import AnyArray, Size
from roma_device.calibration.errors import CalibrationError, RomaError

from .quiet_opencv import quiet_opencv

LARGEST_SIDE_PX = 16384
MOST_PIXELS = 1 << 26
"""67 million: a decoded image of the largest kind, four channels of 16 bits, has 512 MiB."""

_JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of frames, which hold the size."""

_JPEG_SCAN = 0xDA


def decode_image(data: bytes, flags: int, where: str, error: type[RomaError] = CalibrationError) -> AnyArray | None:
    """The image in the bytes of a file, None where it is none; raises ``error`` for one that is too large."""
    size = image_size(data)
    if size is None:
        return None
    if max(size) > LARGEST_SIDE_PX or size[0] * size[1] > MOST_PIXELS:
        raise error(f"{where} is {size[0]}x{size[1]}: images may have {LARGEST_SIDE_PX} px a side and 67 megapixels")
    try:
        with quiet_opencv():
            image: AnyArray | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError):
        return None
    return image


def image_size(data: bytes) -> Size | None:
    """Width and height by the header of a PNG, JPEG, BMP, TIFF, WebP or PNM file; None for anything else."""
    try:
        for start, read in _READERS:
            if data.startswith(start):
                return read(data)
    except (struct.error, ValueError, IndexError):
        pass
    return None


def _png(data: bytes) -> Size:
    return Size(*struct.unpack_from(">II", data, 16))


def _bmp(data: bytes) -> Size:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the first header, of OS/2
        return Size(*struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return Size(abs(width), abs(height))


def _jpeg(data: bytes) -> Size | None:
    for kind, at in _jpeg_parts(data):
        if kind in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Size(width, height)
    return None


def jpeg_scan(data: bytes) -> int:
    """Where the first scan of a JPEG file begins, after all of its head; the end where there is none."""
    try:
        return next((at for kind, at in _jpeg_parts(data) if kind == _JPEG_SCAN), len(data))
    except (struct.error, IndexError):
        return len(data)


def _jpeg_parts(data: bytes) -> Iterator[tuple[int, int]]:
    """Kind and place of the segments of a JPEG file's head."""
    at = 2
    while at < len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xFF or 0xD0 <= kind <= 0xD8 or kind == 0x01:  # without content
            at += 1 if kind == 0xFF else 2
        else:
            yield kind, at
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]


def _webp(data: bytes) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return Size(width, height)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Size(width & 0x3FFF, height & 0x3FFF)
    return None


def _tiff(data: bytes) -> Size | None:
    """Of the first page, which is the one that is decoded."""
    order = "<" if data.startswith(b"II") else ">"
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, first)
    sides = dict.fromkeys((256, 257), 0)
    for number in range(count):
        tag, kind, _ = struct.unpack_from(f"{order}HHI", data, first + 2 + 12 * number)
        if tag in sides:
            (sides[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, first + 10 + 12 * number)
    return Size(sides[256], sides[257]) if all(sides.values()) else None


def _pnm(data: bytes) -> Size | None:
    words: list[bytes] = []
    for line in data[:4096].split(b"\n"):
        words += line.partition(b"#")[0].split()
        if len(words) >= 3:
            return Size(int(words[1]), int(words[2]))
    return None


_READERS = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"BM", _bmp),
    (b"RIFF", _webp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    *((f"P{number}".encode(), _pnm) for number in range(1, 7)),
)
