"""Filters by what is around a pixel: how certain that is, and whether the pixel is nearer than what lies behind.

Where a pattern repeats, a matcher takes one bar for the next by chance, or gives what lies behind a fence the fence's
disparity, and most of what is around such a phantom is uncertain. What is about as far away as the certain far part of
its surroundings is no phantom, however little the matcher is sure of it.
"""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Mask

AROUND_PX, BEHIND_PX, COARSE_PX = 60, 240, 4
"""Sides of the squares whose certainty counts, and in which that is looked for which lies behind; and of the blocks by
which both are looked at."""

STANDS_OUT = np.float32(1.3)
"""Of the disparity of what lies behind: what has more stands out."""


class Surroundings:
    """Mean certainty around each pixel of a map, and the disparity of what lies behind."""

    def __init__(self, disparity_px: FloatImage, certainty: FloatImage, doubt: float) -> None:
        """Maps (H, W); where the mean certainty is below ``doubt``, the surroundings are doubtful."""
        height, width = certainty.shape
        counted = np.where(np.isfinite(disparity_px), certainty, 0).astype(np.float32, copy=False)
        weighted = counted * np.where(counted > 0, disparity_px, 0).astype(np.float32, copy=False)
        coarse = max(1, width // COARSE_PX), max(1, height // COARSE_PX)
        sure, weighted = (cv2.resize(each, coarse, interpolation=cv2.INTER_AREA) for each in (counted, weighted))
        limit_px = STANDS_OUT * _behind_px(weighted / np.maximum(sure, np.float32(1e-6)), np.square(sure))
        doubtful = _mean(sure, AROUND_PX) < doubt
        self._has_doubtful = bool(doubtful.any())
        full_px = cv2.resize(limit_px, (width, height), interpolation=cv2.INTER_NEAREST)
        self._is_plain = disparity_px < full_px
        self._doubtful = doubtful.view(np.uint8)

    def threshold(self, min_confidence: float, lenience: float) -> FloatImage:
        """(H, W): least certainty, lower by ``lenience`` (by half at most) for what does not stand out."""
        lower = min_confidence - min(lenience, min_confidence / 2)
        return np.asarray(np.where(self._is_plain, lower, min_confidence), np.float32)

    def without_doubtful(self, valid: Mask) -> Mask:
        """``valid`` (H, W) less what stands out of doubtful surroundings."""
        if not self._has_doubtful:
            return valid
        doubtful = cv2.resize(self._doubtful, valid.shape[::-1], interpolation=cv2.INTER_NEAREST)
        return np.asarray(valid & (self._is_plain | (doubtful == 0)))


def _behind_px(disparity_px: FloatImage, weight: FloatImage) -> FloatImage:
    """Disparity of the certain far part around each block: a power mean of the distance."""
    distance = 1 / np.square(np.square(np.maximum(disparity_px, np.float32(1))))
    mean = _mean(weight * distance, BEHIND_PX) / np.maximum(_mean(weight, BEHIND_PX), np.float32(1e-9))
    return np.asarray(1 / np.sqrt(np.sqrt(np.maximum(mean, np.float32(1e-12)))), np.float32)


def _mean(values: FloatImage, side_px: int) -> FloatImage:
    side = side_px // COARSE_PX
    return np.asarray(cv2.blur(values, (side, side)), np.float32)
