"""Binary file format of recordings.

A recording is a folder with ``session.json`` (what was recorded, when and how), ``calibration.yaml`` where the rig's
calibration is known, and the pairs in ``000000.pairs``, ``000001.pairs`` and so on. Each of these files begins with
MAGIC; then come records, one per pair: HEADER, the left image, the right one. Numbers are little-endian. A record's
checksum covers all of it but the checksum itself, so that a record that a power cut tore is recognized.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np
from loguru import logger

from roma_device.calibration.arrays import Image
from roma_device.calibration.errors import RomaError
from roma_device.runtime.types import Frame, StereoFrame

SESSION, CALIBRATION, SUFFIX = "session.json", "calibration.yaml", ".pairs"
FORMAT, VERSION = "roma-device-recording", 1
MAGIC = b"ROMAPAIR"
LARGEST_SIDE_PX = 16384

HEADER = struct.Struct("<4sIqqQQHHBxxx")
"""Mark, crc32 of all that follows it, then for left and right timestamp_ns and sequence; width, height, channels."""

MARK = b"PAIR"


class RecordingError(RomaError):
    """A recording that cannot be written or read."""

    exit_code = os.EX_DATAERR


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """What stands in front of a pair's images."""

    checksum: int
    stamps_ns: tuple[int, int]
    sequences: tuple[int, int]
    size: tuple[int, int]  # width, height in px
    channels: int  # 1: grey, 3: BGR

    @classmethod
    def parse(cls, data: bytes) -> RecordHeader | None:
        """None where it cannot be one."""
        mark, checksum, left_ns, right_ns, left, right, width, height, channels = HEADER.unpack(data)
        plausible = 0 < width <= LARGEST_SIDE_PX and 0 < height <= LARGEST_SIDE_PX and channels in (1, 3)
        if mark != MARK or not plausible:
            return None
        return cls(checksum, (left_ns, right_ns), (left, right), (width, height), channels)

    @property
    def image_shape(self) -> tuple[int, ...]:
        width, height = self.size
        return (height, width) if self.channels == 1 else (height, width, self.channels)

    @property
    def image_bytes(self) -> int:
        """Of one image."""
        return self.size[0] * self.size[1] * self.channels


def encode_pair(frame: StereoFrame) -> tuple[bytes, memoryview, memoryview]:
    """Header and images of a record, to be written one after the other; raises RecordingError."""
    left, right = (np.ascontiguousarray(side.image) for side in (frame.left, frame.right))
    channels = left.shape[2] if left.ndim == 3 else 1
    if left.shape != right.shape or channels not in (1, 3) or max(left.shape[:2]) > LARGEST_SIDE_PX:
        raise RecordingError(f"images of shapes {left.shape} and {right.shape} cannot be recorded")
    fields = _fields(frame.left, frame.right, channels)
    checksum = pair_checksum(HEADER.pack(MARK, 0, *fields), left, right)
    return HEADER.pack(MARK, checksum, *fields), left.data, right.data


def _fields(left: Frame, right: Frame, channels: int) -> tuple[int, ...]:
    height, width = left.image.shape[:2]
    return left.timestamp_ns, right.timestamp_ns, left.sequence, right.sequence, width, height, channels


def pair_checksum(header: bytes, left: Image, right: Image) -> int:
    """crc32 of what follows the checksum in a record."""
    return zlib.crc32(right.data, zlib.crc32(left.data, zlib.crc32(header[8:])))


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
    """Whether no whole record follows what is at ``start``: cut off, zeros that were never written, or the last one.

    A header that lies about its size would else hide all that comes after it.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(MARK, start + 1)
        while at >= 0:
            if _is_whole(data, at, end):
                return False
            at = data.find(MARK, at + 1)
    return True


def _is_whole(data: mmap.mmap, at: int, end: int) -> bool:
    header = RecordHeader.parse(data[at : at + HEADER.size]) if at + HEADER.size <= end else None
    if header is None or at + HEADER.size + 2 * header.image_bytes > end:
        return False
    return zlib.crc32(data[at + 8 : at + HEADER.size + 2 * header.image_bytes]) == header.checksum


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
