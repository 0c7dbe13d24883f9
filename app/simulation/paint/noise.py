"""Sensor noise, cheap enough for every frame."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import Image
from roma_device.calibration.size import Size

SLACK_PX = 96
"""The pool is larger than the image by this much, so that it can be laid in many ways."""


class SensorNoise:
    """Gaussian noise from a pool that is drawn once and laid over each image at a random place."""

    def __init__(self, size: Size, sigma: float, rng: np.random.Generator) -> None:
        """``sigma`` is in grey levels of 8-bit images of ``size``."""
        shape = size[1] + SLACK_PX, size[0] + SLACK_PX, 3
        pool = np.round(sigma * rng.standard_normal(shape, dtype=np.float32))
        self._brighter, self._darker = np.maximum(pool, 0).astype(np.uint8), np.maximum(-pool, 0).astype(np.uint8)

    def add(self, image: Image, rng: np.random.Generator) -> None:
        """Add noise to an image (H, W, 3) in place, clipping to 0 and 255."""
        top, left = rng.integers(0, SLACK_PX + 1, 2)
        window = slice(top, top + image.shape[0]), slice(left, left + image.shape[1])
        cv2.add(image, self._brighter[window], dst=image)
        cv2.subtract(image, self._darker[window], dst=image)
