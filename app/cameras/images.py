"""Stereo frames from image files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from roma_device.calibration.arrays import AnyArray, Image
from roma_device.calibration.storage.files import read_bytes
from roma_device.calibration.storage.image_file import decode_image, jpeg_scan
from roma_device.runtime.types import Frame, StereoFrame

from . import Camera, CameraError
from .exif import orientation, upright
from .file_pairs import find_pairs
from .pair_times import times_ns
from .pairing import Pair
from .query import Query

FRAME_PERIOD_NS = 1_000_000_000 // 30
BIT_DEPTHS = (8, 10, 12, 14, 16)
"""Grey levels of sensors that are stored in 16 bits."""

MOST_FILE_BYTES = 256 << 20


class BadImageError(CameraError):
    """A file that is no image that can be used."""

    exit_code = os.EX_DATAERR


class ImagesCamera(Camera):
    """Pairs of image files, one after the other, at the times that their names tell, else 1/30 s apart from 0 on."""

    def __init__(self, pairs: list[Pair]) -> None:
        self._pairs = pairs
        self._stamps = pair_stamps(pairs)

    @classmethod
    def from_spec(cls, argument: str) -> ImagesCamera:
        """From ``LEFT,RIGHT`` (two files, two folders, two quoted patterns) or ``FOLDER``, and ``?max_skew_ms=20``.

        A folder holds ``left/`` and ``right/`` or another layout of pair_names.py, or files named ``left*`` and
        ``right*``, ``*_left`` and ``*_right``, ``im0`` and ``im1``. Raises CameraError for what is missing.
        """
        name, mark, value = argument.rpartition("?max_skew_ms=")
        if not mark:
            return cls(find_pairs(argument))
        query = Query("images", {"max_skew_ms": value})
        return cls(find_pairs(name, query.number("max_skew_ms", 0.0, 0.0, 1e6)))

    @property
    def total_frames(self) -> int:
        """The number of pairs."""
        return len(self._pairs)

    def frames(self) -> Iterator[StereoFrame]:
        """All pairs once; raises CameraError at a file that is corrupt or whose partner has another size."""
        depth = BIT_DEPTHS[0]
        for sequence, paths in enumerate(self._pairs):
            images = [read_image(path) for path in paths]
            if images[0].shape[:2] != images[1].shape[:2]:
                raise _different_sizes(paths, images)
            depth = max(depth, *(bit_depth(image) for image in images))
            left, right = (
                Frame(to_8_bit(image, depth), time_ns, sequence)
                for image, time_ns in zip(images, self._stamps[sequence], strict=True)
            )
            yield StereoFrame(left, right)


def pair_stamps(pairs: list[Pair]) -> list[tuple[int, int]]:
    """The times in ns of the left and the right image of each pair: by their names, else 1/30 s apart from 0 on."""
    left_ns, right_ns = (times_ns([pair[side] for pair in pairs]) for side in (0, 1))
    if left_ns is None or right_ns is None or left_ns != sorted(left_ns):
        return [(sequence * FRAME_PERIOD_NS,) * 2 for sequence in range(len(pairs))]
    return list(zip(left_ns, right_ns, strict=True))


def read_image(path: Path) -> AnyArray:
    """An image file as grey (H, W) or BGR (H, W, 3), uint8 or uint16; raises CameraError where it is none."""
    data = read_bytes(path, "image", CameraError, MOST_FILE_BYTES)
    image = decode_image(data, cv2.IMREAD_UNCHANGED, str(path), BadImageError) if _is_whole(data) else None
    if image is None:
        raise CameraError(f"{path} is not an image, or it is damaged", exit_code=os.EX_DATAERR)
    if image.dtype not in (np.uint8, np.uint16):
        raise CameraError(f"{path} holds {image.dtype} pixels, not 8 or 16 bits", exit_code=os.EX_DATAERR)
    image = upright(image, orientation(data))
    channels = image.shape[2] if image.ndim == 3 else 1
    return np.ascontiguousarray(image[..., :3]) if channels >= 3 else image.reshape(image.shape[:2])


def _is_whole(data: bytes) -> bool:
    """Whether a PNG or JPEG file has its end: decoders fill what is missing with grey.

    What programs and phones write behind that does no harm; a thumbnail within a JPEG's head has an end of its own.
    """
    if data.startswith(b"\x89PNG"):
        return b"IEND" in data
    return not data.startswith(b"\xff\xd8\xff") or b"\xff\xd9" in data[jpeg_scan(data) :]


def bit_depth(image: AnyArray) -> int:
    """Bits that the brightest pixel needs, as a sensor counts them: 8, 10, 12, 14 or 16."""
    brightest = int(image.max()) if image.dtype == np.uint16 else 0
    return next(bits for bits in BIT_DEPTHS if brightest < 1 << bits)


def to_8_bit(image: AnyArray, depth: int) -> Image:
    """Cut a uint16 image of ``depth`` bits down to its upper eight; uint8 stays as it is."""
    return image if image.dtype == np.uint8 else (image >> (depth - 8)).astype(np.uint8)


def _different_sizes(paths: Pair, images: list[AnyArray]) -> CameraError:
    sizes = [f"{path} is {image.shape[1]}x{image.shape[0]}" for path, image in zip(paths, images, strict=True)]
    return CameraError(f"left and right differ in size: {sizes[0]}, {sizes[1]}", exit_code=os.EX_DATAERR)
