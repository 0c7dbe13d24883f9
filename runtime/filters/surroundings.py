"""Filters by what is around a pixel: how certain that is, and whether the pixel is nearer.

Where a pattern repeats, a matcher takes one bar for the next by chance, and most of what is around such a phantom is
uncertain. What does not stand out is no nearer than the rest: it is no phantom.
"""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Mask

SURROUNDINGS_PX, COARSE_PX = 60, 4
"""Side of the square that is around a pixel, and of the blocks by which it is looked at."""

STANDS_OUT = np.float32(1.05)
"""Of the disparity around it: what has more is nearer than its surroundings."""

NEVER, ALWAYS = np.float32(-1e6), np.float32(1e6)


class Surroundings:
    """Mean certainty around each pixel of a map, and the mean disparity weighted by it."""

    def __init__(self, disparity_px: FloatImage, certainty: FloatImage, doubt: float) -> None:
        """Maps (H, W); where the mean certainty is below ``doubt``, the surroundings are doubtful."""
        height, width = certainty.shape
        self._disparity_px, self._certainty = disparity_px, certainty
        counted = np.where(np.isfinite(disparity_px), certainty, 0).astype(np.float32, copy=False)
        weighted = counted * np.where(counted > 0, disparity_px, 0).astype(np.float32, copy=False)
        coarse, window = (max(1, width // COARSE_PX), max(1, height // COARSE_PX)), (SURROUNDINGS_PX // COARSE_PX,) * 2
        sure, around = (
            cv2.blur(cv2.resize(each, coarse, interpolation=cv2.INTER_AREA), window) for each in (counted, weighted)
        )
        self._is_doubtful = sure < doubt
        self._limit_px = STANDS_OUT * around / np.maximum(sure, np.float32(1e-6))

    def threshold(self, min_confidence: float, lenience: float) -> FloatImage:
        """(H, W): least certainty, lower by ``lenience`` for what does not stand out of certain surroundings."""
        is_plain = self._below(np.where(self._is_doubtful, NEVER, self._limit_px))
        return np.asarray(np.where(is_plain, min_confidence - lenience, min_confidence), np.float32)

    def without_doubtful(self, valid: Mask) -> Mask:
        """``valid`` (H, W) less what stands out of doubtful surroundings."""
        if not self._is_doubtful.any():
            return valid
        return np.asarray(valid & self._below(np.where(self._is_doubtful, self._limit_px, ALWAYS)))

    def _below(self, limit_px: FloatImage) -> Mask:
        size = self._certainty.shape[::-1]
        return np.asarray(self._disparity_px < cv2.resize(limit_px, size, interpolation=cv2.INTER_NEAREST))
