"""A rectified, smoothed stereo pair: the input of odometry."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Image

SMOOTHING_PX = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class RectifiedPair:
    """Rectified stereo pair, both images smoothed (``smoothed``)."""

    left: Image  # (H, W) grey
    right: Image
    timestamp_ns: int
    dense_px: FloatImage | None  # (H, W) disparity from elsewhere, NaN where unknown


def smoothed(image: Image) -> Image:
    """A grey image (H, W) without the finest detail, whose noise draws interpolated patches to half pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), SMOOTHING_PX), np.uint8)
