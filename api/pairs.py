"""Pairs of arrays as a camera."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np

from roma_device.app.cameras import Camera, CameraError
from roma_device.calibration.arrays import Image
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.types import Frame, StereoFrame

Pair: TypeAlias = "StereoFrame | tuple[Image, Image]"


class PairsCamera(Camera):
    """Whatever a program iterates over: pairs of images, or StereoFrame where the times of exposure are known."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs = pairs

    @property
    def calibration(self) -> StereoCalibration | None:
        return None

    def frames(self) -> Iterator[StereoFrame]:
        for sequence, pair in enumerate(self._pairs):
            yield pair if isinstance(pair, StereoFrame) else stereo_frame(*pair, sequence=sequence)


def stereo_frame(left: Image, right: Image, timestamp_ns: int | None = None, sequence: int = 0) -> StereoFrame:
    """Two arrays of one instant, by default now; raises CameraError for arrays that are no pair of images."""
    for side, image in (("left", left), ("right", right)):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or not _is_image(image.shape):
            found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            message = f"the {side} image must be a uint8 array (H, W) or (H, W, 3), not {found}"
            raise CameraError(message, exit_code=os.EX_DATAERR)
    if left.shape[:2] != right.shape[:2]:
        message = f"left is {left.shape[1]}x{left.shape[0]} px, right {right.shape[1]}x{right.shape[0]}: no pair"
        raise CameraError(message, exit_code=os.EX_DATAERR)
    stamp = time.monotonic_ns() if timestamp_ns is None else timestamp_ns
    return StereoFrame(Frame(left, stamp, sequence), Frame(right, stamp, sequence))


def _is_image(shape: tuple[int, ...]) -> bool:
    return 0 not in shape and (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3))
