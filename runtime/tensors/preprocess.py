"""Preprocessing: rectification, resizing and instance normalization of a pair into input tensors, in place."""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage, GreyImage, Image, Size
from roma_device.calibration.rectify import MapPair
from roma_device.runtime.card import ModelCard, ModelError, Normalization
from roma_device.runtime.grey import grey

from .bfloat16 import from_float32
from .inputs import InputPlan

NO_COLOUR = 128
"""Value of both colour differences of a grey pixel."""


def write_grey(target: AnyArray, image: Image) -> None:
    """Write ``image`` (H, W) into ``target``: NCHW with one channel, NHWC with one or three, or NV12.

    Raises ModelError for another shape.
    """
    height, width = image.shape
    if target.shape == (1, 1, height, width):
        target[0, 0] = image
    elif target.shape in ((1, height, width, 1), (1, height, width, 3)):
        target[0] = image[:, :, np.newaxis]
    elif target.shape == (1, height * 3 // 2, width, 1):
        target[0, :height, :, 0] = image
        target[0, height:] = NO_COLOUR
    else:
        raise ModelError(f"cannot fill an input of shape {target.shape} with images of {width}x{height} px")


VARIANCE_FLOOR = 1e-5
"""Added to the variance of grey values in [0, 1]: InstanceNorm's eps, so that flat images stay finite."""

_TO_UNIT = np.arange(256, dtype=np.float64) / 255
FLOAT_MAPS_ARE_FAST = int(cv2.__version__.split(".")[0]) >= 5
"""OpenCV 5 resamples with float maps 1.7 times as fast as with fixed-point ones; in version 4 it is the reverse."""

RemapTables = tuple[AnyArray, AnyArray]


def value_table(image: Image, normalization: Normalization) -> FloatImage:
    """(256,) the tensor value of each grey level of ``image``.

    "preprocess" is instance normalization, ``(x - mean) / sqrt(var + 1e-5)`` with the biased variance
    over the whole image and x in [0, 1]; otherwise the network gets x itself.
    """
    if normalization != "preprocess":
        return _TO_UNIT.astype(np.float32)
    mean, deviation = (float(value.item()) / 255 for value in cv2.meanStdDev(image))
    scale = 1 / math.sqrt(deviation**2 + VARIANCE_FLOOR)
    return ((_TO_UNIT - mean) * scale).astype(np.float32)


def check_inputs(card: ModelCard) -> None:
    """Raise ModelError where images cannot be written as the inputs that ``card`` describes."""
    known = ("float32", "bfloat16") if card.normalization == "preprocess" else ("float32", "bfloat16", "uint8")
    for spec in card.inputs:
        if spec.dtype not in known:
            raise ModelError(
                f"model {card.name}: {spec.name} is {spec.dtype}; with normalization: {card.normalization} images "
                f"go into {', '.join(known)} only"
            )


class Preprocessor:
    """Rectifies, resizes and normalizes a pair in one resampling per image.

    The tables for cv2.remap are made once; per frame nothing large is allocated but images that are kept.
    """

    def __init__(
        self,
        size: Size,
        plan: InputPlan,
        normalization: Normalization,
        maps: tuple[MapPair, MapPair] | None = None,
        keeps_rectified: bool = False,
    ) -> None:
        """For images of ``size``; ``maps`` rectify them, without they are only resized."""
        self._plan, self._normalization = plan, normalization
        self._maps = (None, None) if maps is None else (remap_tables(*maps[0]), remap_tables(*maps[1]))
        self._grey = np.empty(size[::-1], np.uint8)
        self._buffer = np.zeros(plan.network[::-1], np.uint8)
        width, height = plan.content
        self._content = self._buffer[:height, :width]
        self._keeps = keeps_rectified and maps is not None and plan.content == size
        self.rectified: tuple[GreyImage, GreyImage] | None = None
        """Of the last pair, (H, W) each, where it is kept and rectified at the images' own size; the border repeats."""

    def __call__(self, left: Image, right: Image, inputs: Mapping[str, AnyArray]) -> None:
        """Fill ``inputs["left"]`` and ``inputs["right"]`` from two images (H, W[, 3]).

        Each is (1, 1, H, W) float32 or bfloat16 (its bits as uint16), or uint8 as write_grey has it where the
        network normalizes by itself.
        """
        kept: list[GreyImage] = []
        for name, image, maps in zip(("left", "right"), (left, right), self._maps, strict=True):
            self._fill(inputs[name], grey(image, self._grey), maps)
            if self._keeps:
                kept.append(self._content.copy())
        self.rectified = (kept[0], kept[1]) if kept else None

    def _fill(self, target: AnyArray, image: Image, maps: RemapTables | None) -> None:
        takes_grey = target.dtype == np.uint8 and self._normalization != "preprocess"
        takes_numbers = target.dtype in (np.float32, np.uint16) and target.shape[:2] == (1, 1)
        if not takes_grey and not takes_numbers:
            raise ModelError(f"cannot fill an input of shape {target.shape} and type {target.dtype}")
        (width, height), buffer, content = self._plan.content, self._buffer, self._content
        _resample(image, maps, content)
        buffer[:height, width:] = content[:, -1:]
        buffer[height:] = buffer[height - 1]
        if takes_grey:
            write_grey(target, buffer)
        else:
            write_numbers(target[0, 0], buffer, value_table(content, self._normalization))


def write_numbers(target: AnyArray, image: Image, table: FloatImage) -> None:
    """``table[image]``; uint16 stands for the bits of bfloat16, see check_inputs.

    The table is a straight line, and ``normalize`` is how Python reaches OpenCV's vectorized ``a x + b`` from bytes
    to floats: it is told where the darkest and the brightest pixel go. Looking every pixel up takes twice as long.
    """
    if target.dtype == np.uint16:
        cv2.LUT(image, from_float32(table), dst=target)
        return
    low, high = (float(table[int(level)]) for level in cv2.minMaxLoc(image)[:2])
    cv2.normalize(image, target, low, high, cv2.NORM_MINMAX, cv2.CV_32F)


def _resample(image: Image, maps: RemapTables | None, target: Image) -> None:
    size = Size.of(target)
    if maps is not None:
        cv2.remap(image, *maps, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_REPLICATE)
    elif Size.of(image) == size:
        target[...] = image
    else:
        target[...] = cv2.resize(image, size, interpolation=resize_filter(image.shape[1], size[0]))


def resize_filter(source: int, target: int) -> int:
    """OpenCV's flag for resizing images: averaging when shrinking, so that nothing aliases; else what keeps edges."""
    return cv2.INTER_AREA if target < source else cv2.INTER_CUBIC


def remap_tables(map_x: FloatImage, map_y: FloatImage) -> RemapTables:
    """The maps in the form that the installed OpenCV is fastest with."""
    if FLOAT_MAPS_ARE_FAST:
        return map_x, map_y
    coordinates, table = cv2.convertMaps(map_x, map_y, cv2.CV_16SC2)
    return coordinates, table
