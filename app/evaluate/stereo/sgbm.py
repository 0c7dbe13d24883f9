"""The baseline: OpenCV's semi-global block matching, tuned once and then left alone."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Image, Mask
from roma_device.calibration.size import Size

DISPARITIES_PX = 192
_STEPS_PER_PX = 16


class SgbmMatcher:
    """Three-way SGBM with a disparity in every pixel; gives no certainty.

    Both images are widened on the left by the search range, which costs time and gives the left
    edge a disparity at all: OpenCV leaves that many columns empty otherwise. Not thread-safe.
    """

    name = "sgbm"

    def __init__(self) -> None:
        self._matcher = cv2.StereoSGBM.create(
            minDisparity=0,
            numDisparities=DISPARITIES_PX,
            blockSize=5,
            P1=200,
            P2=800,
            disp12MaxDiff=1,
            preFilterCap=63,
            uniquenessRatio=10,
            speckleWindowSize=100,
            speckleRange=2,
            mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
        )

    def prepare(self, size: Size) -> None:
        """Nothing: the matcher takes any size."""

    def match(self, left: Image, right: Image) -> tuple[FloatImage, None]:
        """Images (H, W) grey or (H, W, 3) BGR -> disparity (H, W) in px, finite everywhere."""
        steps = self._matcher.compute(_widened(left), _widened(right))[:, DISPARITIES_PX:]
        disparity_px = steps.astype(np.float32) / _STEPS_PER_PX
        return fill_holes(disparity_px, disparity_px >= 0), None


def _widened(image: Image) -> Image:
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.copyMakeBorder(grey, 0, 0, DISPARITIES_PX, 0, cv2.BORDER_REPLICATE))


def fill_holes(disparity_px: FloatImage, valid: Mask) -> FloatImage:
    """Give each invalid pixel the smaller of the nearest valid disparities on its left and right.

    Holes are mostly hidden background beside a nearer object, so the smaller one is the better
    guess. A row without any valid pixel becomes 0. All arrays are (H, W).
    """
    known = np.where(valid, disparity_px, np.float32(np.inf))
    from_right = _nearest_on_left(known[:, ::-1], valid[:, ::-1])[:, ::-1]
    filled = np.minimum(_nearest_on_left(known, valid), from_right)
    return np.where(np.isfinite(filled), filled, 0).astype(np.float32)


def _nearest_on_left(values: FloatImage, valid: Mask) -> FloatImage:
    """Each pixel's own value where valid, else the last valid one before it in the row, else inf."""
    column = np.where(valid, np.arange(valid.shape[1]), 0)
    return np.take_along_axis(values, np.maximum.accumulate(column, axis=1), axis=1)
