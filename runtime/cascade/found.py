"""Disparity between two stages: enlarged to full resolution as the later one was trained with it."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage, Size
from roma_device.runtime.tensors.cells import from_parts

SMOOTH_PX = 0.5
"""How far the enlargement may move a disparity away from its nearest neighbour's: between two surfaces it copies one
of them. ``StereoOutput.disparity_px`` in ``model/stereo/network.py`` is the same in torch."""


class Found:
    """What the graph before has found; ``disparity_px`` (H, W) and ``certainty`` (h, w), float32."""

    def __init__(self, size: Size) -> None:
        shape = size[::-1]
        self.disparity_px: FloatImage = np.empty(shape, np.float32)
        self._smooth = np.empty(shape, np.float32)
        self.certainty: FloatImage = np.empty((0, 0), np.float32)

    def read(self, outputs: Mapping[str, AnyArray]) -> None:
        """From a graph's ``disparity`` (1, 1, h, w) or ``parts`` (1, 8, H/4, W/2), and ``certainty``."""
        self.certainty = outputs["certainty"][0, 0]
        if "parts" in outputs:
            from_parts(outputs["parts"], self.disparity_px)
            np.maximum(self.disparity_px, 0, out=self.disparity_px)
        else:
            self._enlarge(outputs["disparity"][0, 0])

    def _enlarge(self, values: FloatImage) -> None:
        nearest, smooth, size = self.disparity_px, self._smooth, Size.of(self.disparity_px)
        if Size.of(values) == size:
            nearest[...] = values
            return
        cv2.resize(values, size, dst=nearest, interpolation=cv2.INTER_NEAREST)
        cv2.resize(values, size, dst=smooth, interpolation=cv2.INTER_LINEAR)
        np.subtract(smooth, nearest, out=smooth)
        np.clip(smooth, -SMOOTH_PX, SMOOTH_PX, out=smooth)
        np.add(nearest, smooth, out=nearest)
