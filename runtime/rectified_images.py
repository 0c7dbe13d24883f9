"""Rectified images of a frame at camera resolution, made when somebody looks at them."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np

from roma_device.calibration.arrays import GreyImage, Image
from roma_device.calibration.rectify import MapPair, Rectification

from .grey import grey


class RectifiedImages:
    """Both images of a pair after rectification; each is resampled on first use and kept."""

    def __init__(
        self,
        left: Image,
        right: Image,
        rectification: Rectification | None = None,
        seen: tuple[GreyImage, GreyImage] | None = None,
    ) -> None:
        """Raw images (H, W) or (H, W, 3); without ``rectification`` they are rectified already.

        ``seen`` is what a network was given of them, rectified (H, W): nearly ``grey``, but its border repeats.
        """
        self._raw, self._seen = (left, right), seen
        self._rectification = rectification

    @cached_property
    def left(self) -> Image:
        """(H, W) or (H, W, 3) BGR, as the camera gives it."""
        return _remapped(self._raw[0], self._maps(0))

    @cached_property
    def right(self) -> Image:
        """(H, W) or (H, W, 3) BGR, as the camera gives it."""
        return _remapped(self._raw[1], self._maps(1))

    @cached_property
    def grey(self) -> tuple[GreyImage, GreyImage]:
        """Left and right, (H, W) each: turned grey before they are resampled, which is cheaper."""
        left, right = (_remapped(grey(image), self._maps(side)) for side, image in enumerate(self._raw))
        return left, right

    def grey_rows(self, step: int) -> tuple[GreyImage, GreyImage]:
        """Every ``step``-th row of what a network was given, or else of ``grey``, at that share of its cost."""
        if self._seen is not None:
            return self._seen[0][::step], self._seen[1][::step]
        if "grey" in self.__dict__:
            return self.grey[0][::step], self.grey[1][::step]
        left, right = (_remapped(grey(image), self._maps(side), step) for side, image in enumerate(self._raw))
        return left, right

    def _maps(self, side: int) -> MapPair | None:
        if self._rectification is None:
            return None
        return self._rectification.right_maps if side else self._rectification.left_maps


def _remapped(image: Image, maps: MapPair | None, step: int = 1) -> Image:
    if maps is None:
        return image[::step]
    return np.asarray(cv2.remap(image, maps[0][::step], maps[1][::step], cv2.INTER_LINEAR), np.uint8)
