"""Reader of recordings: checksummed records, and torn ends as a power cut leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import numpy as np
from loguru import logger

from roma_device.calibration.arrays import Image
from roma_device.runtime.types import Frame, StereoFrame

from .layout import HEADER, MAGIC, RecordHeader, RecordingError, pair_checksum


def read_pairs(file: BufferedReader, path: Path, is_last: bool) -> Iterator[StereoFrame]:
    """The pairs of one file; raises RecordingError where it is damaged. In the last file a torn end is no damage."""
    end = path.stat().st_size
    if file.read(len(MAGIC)) != MAGIC:
        if is_last and end < len(MAGIC):
            return
        raise RecordingError(f"{path} is no file of a recording")
    while (start := file.tell()) < end:
        frame = _read_pair(file, end)
        if frame is not None:
            yield frame
        elif is_last and _is_torn(file, start, end):
            logger.warning(f"{path}: the last pair was not written to its end, as after a power cut")
            return
        else:
            raise RecordingError(f"{path} is damaged at byte {start}")


def _is_torn(file: BufferedReader, start: int, end: int) -> bool:
    """Whether no whole record can follow the one at ``start``: it is cut off, the last, or never reached the disk."""
    file.seek(start)
    data = file.read(HEADER.size)
    header = RecordHeader.parse(data) if len(data) == HEADER.size else None
    if header is not None:
        return start + HEADER.size + 2 * header.image_bytes >= end
    return not any(data) or len(data) < HEADER.size


def _read_pair(file: BufferedReader, end: int) -> StereoFrame | None:
    """None where there is no whole, undamaged record."""
    data = file.read(HEADER.size)
    header = RecordHeader.parse(data) if len(data) == HEADER.size else None
    if header is None or file.tell() + 2 * header.image_bytes > end:
        return None
    left, right = (_read_image(file, header) for _ in range(2))
    if pair_checksum(data, left, right) != header.checksum:
        return None
    stamps_ns, sequences = header.stamps_ns, header.sequences
    return StereoFrame(Frame(left, stamps_ns[0], sequences[0]), Frame(right, stamps_ns[1], sequences[1]))


def _read_image(file: BufferedReader, header: RecordHeader) -> Image:
    image = np.empty(header.image_shape, np.uint8)
    file.readinto(image.reshape(-1).data)
    return image
