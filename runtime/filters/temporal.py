"""Filters that remember the frame before: exponential mean of disparity, hysteresis of what is known."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Mask

NEIGHBOURHOOD_PX = 15
STILL_PX = 0.1
"""Mean changes of a neighbourhood below it are taken for noise, those above for motion."""


class ExponentialMean:
    """Mean of disparity over time, where it changes by less than a limit; what changes more is taken anew.

    Where a whole neighbourhood changes, things move, and the mean moves along: it does not lag behind a camera that
    drives. What differs from its neighbourhood's change is noise, and is averaged.
    """

    def __init__(self, weight_of_past: float, reset_px: float) -> None:
        self._new, self._reset_px = 1 - weight_of_past, reset_px
        self._mean: FloatImage | None = None
        self._valid: Mask | None = None

    def forget(self) -> None:
        """The next map is the first."""
        self._mean = self._valid = None

    def __call__(self, disparity_px: FloatImage, valid: Mask) -> FloatImage:
        """The steadied disparity (H, W) of what is ``valid``; the rest as it is."""
        mean = disparity_px
        if self._mean is not None and self._valid is not None:
            change = disparity_px - self._mean
            same = valid & self._valid & (np.abs(change) < self._reset_px)
            motion = _common_change(np.where(same, change, np.float32(0)), same)
            steady = self._mean + motion + np.float32(self._new) * (change - motion)
            mean = np.where(same, steady, disparity_px)
        self._mean, self._valid = mean, valid
        return mean


def _common_change(change: FloatImage, same: Mask) -> FloatImage:
    """Mean of ``change`` around each pixel over those that are the ``same``, less what may be noise."""
    window = NEIGHBOURHOOD_PX, NEIGHBOURHOOD_PX
    share = cv2.blur(same.astype(np.float32), window)
    mean = cv2.blur(change, window) / np.maximum(share, np.float32(1e-3))
    return np.asarray(mean - np.clip(mean, -STILL_PX, STILL_PX), np.float32)


class Hysteresis:
    """What was known stays known down to a lower certainty, while its disparity stays; what was not needs a higher."""

    def __init__(self, margin: float, reset_px: float) -> None:
        self._margin, self._reset_px = margin, reset_px
        self._disparity_px: FloatImage | None = None
        self._known: Mask | None = None

    def forget(self) -> None:
        """The next map is the first."""
        self._disparity_px = self._known = None

    def __call__(self, disparity_px: FloatImage, certainty: FloatImage, threshold: float | FloatImage) -> Mask:
        """(H, W): what is known around the ``threshold`` of certainty; a certainty of 0 never is."""
        known = certainty >= threshold
        if self._known is not None and self._disparity_px is not None:
            stays = self._known & (np.abs(disparity_px - self._disparity_px) < self._reset_px)
            known = np.where(stays, certainty >= threshold - self._margin, certainty >= threshold + self._margin)
        known &= certainty > 0
        self._disparity_px, self._known = disparity_px, known
        return np.asarray(known)
