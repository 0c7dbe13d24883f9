"""Both images of a pair less the brightness around each pixel: two cameras expose differently."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatImage, GreyImage, IntArray
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.rectified_images import RectifiedImages

WINDOW_PX = 15
"""Side of the neighbourhood whose mean is taken off."""

ROW_PX = 1024
"""Points are sampled in rows of so many: cv2.remap takes no more than 32767 columns."""

REFERENCE_PX = 640
"""Width of the images that networks see."""

Texture = npt.NDArray[np.int16]


class Textures:
    """Left and right texture of a frame in every ``step``-th row, made when somebody asks."""

    def __init__(self, images: RectifiedImages, step: int) -> None:
        self._images, self._step = images, step

    @cached_property
    def pair(self) -> tuple[Texture, Texture]:
        """(rows, W) each, in grey levels."""
        left, right = (self._texture(image) for image in self._grey)
        return left, right

    def narrowed(self, factor: int) -> tuple[Texture, Texture]:
        """(rows, W / factor) each."""
        if factor == 1:
            return self.pair
        grey = (_narrowed(image, factor) for image in self._grey)
        left, right = (self._texture(image) for image in grey)
        return left, right

    @cached_property
    def _grey(self) -> tuple[GreyImage, GreyImage]:
        return self._images.grey_rows(self._step)

    def _texture(self, image: GreyImage) -> Texture:
        around = cv2.blur(image, (WINDOW_PX, WINDOW_PX // self._step))
        return np.asarray(np.subtract(image, around, dtype=np.int16))


def _narrowed(image: GreyImage, factor: int) -> GreyImage:
    rows, columns = image.shape
    return np.asarray(cv2.resize(image, (columns // factor, rows), interpolation=cv2.INTER_AREA), np.uint8)


def in_rows(values: FloatImage | IntArray) -> FloatImage:
    """(rows, ROW_PX) with ``values`` (N,) and zeros behind them."""
    rows = np.zeros((-(-len(values) // ROW_PX), ROW_PX), np.float32)
    rows.ravel()[: len(values)] = values
    return rows


def sampled(image: Texture, map_x: FloatImage, map_y: FloatImage, count: int) -> FloatImage:
    """The first ``count`` values between pixels, at places that lie in rows; the border repeats."""
    values = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values.ravel()[:count], np.float32)


def noise_scale(rig: RectifiedRig) -> float:
    """How much more disparity scatters than at 640 px: networks see wide images reduced to about that."""
    return max(1.0, rig.size.width / REFERENCE_PX)
