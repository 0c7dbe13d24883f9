"""Pictures of the live page: left image, depth and confidence beside or below each other, as JPEG."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar
from urllib.parse import parse_qs

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatArray, FloatImage, Image, Mask, Size
from roma_device.runtime.types import Result

JPEG_QUALITY = 80
WIDEST_PX = 640
UNKNOWN_BGR = (44, 44, 44)
Colours = npt.NDArray[np.uint32]
Values = TypeVar("Values", FloatImage, Image)

STEPS = 4096
"""So many colours are told apart, evenly over depth or disparity: drawing then is one look into a table."""

NEAR_M, FAR_M = 0.5, 10.0
DISPARITY_SHARE = 0.2
"""Without metres, disparity is coloured up to this share of the width."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a viewer chose; it changes the picture alone."""

    near_m: float = NEAR_M
    far_m: float = FAR_M
    min_confidence: float = 0.0
    is_column: bool = False  # one below the other, for narrow screens

    @classmethod
    def parse(cls, query: str) -> Look:
        """From the query of a request; what makes no sense there is as if it was not given."""
        given = parse_qs(query)
        near_m, far_m = _number(given, "near", NEAR_M), _number(given, "far", FAR_M)
        if not 0 < near_m < far_m < 1e4:
            near_m, far_m = NEAR_M, FAR_M
        return cls(near_m, far_m, _number(given, "confidence", 0.0), given.get("layout") == ["column"])


def _number(given: dict[str, list[str]], name: str, default: float) -> float:
    try:
        value = float(given[name][0])
    except (KeyError, ValueError):
        return default
    return value if np.isfinite(value) else default


def shown_size(result: Result) -> Size:
    """Size of one of the pictures that are joined."""
    width, height = Size.of(result.matches.certainty)
    scale = min(1.0, WIDEST_PX / width)
    return Size(max(1, round(width * scale)), max(1, round(height * scale)))


def draw(result: Result, look: Look, canvas: Image | None = None) -> Image:
    """Left, depth and confidence (H, W, 3), BGR; in ``canvas`` where that is as large."""
    size, known = shown_size(result), result.known
    if look.min_confidence > 0:
        known = known & (result.matches.certainty >= look.min_confidence)
    shape = (3 * size.height, size.width, 3) if look.is_column else (size.height, 3 * size.width, 3)
    if canvas is None or canvas.shape != shape:
        canvas = np.empty(shape, np.uint8)
    left, depth, confidence = np.split(canvas, 3, axis=0 if look.is_column else 1)
    left[:] = _left(result, size)
    depth[:] = _depth(result, known, look, size)
    confidence[:] = _confidence(result, size)
    return canvas


def _left(result: Result, size: Size) -> Image:
    left = result.images.left
    left = left if Size.of(left) == size else cv2.resize(left, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(left, cv2.COLOR_GRAY2BGR) if left.ndim == 2 else left)


def _depth(result: Result, known: Mask, look: Look, size: Size) -> Image:
    """Near is warm; depth by its logarithm, disparity as it is."""
    if result.depth is not None:
        steps = np.minimum(_nearest(result.depth.depth_m, size), np.float32(look.far_m)) * np.float32(
            STEPS / look.far_m
        )
        colours = _depth_colours(look.near_m, look.far_m)
    elif result.matches.disparity_px is not None:
        most_px = np.float32(DISPARITY_SHARE * result.matches.disparity_px.shape[1])
        steps = np.clip(_nearest(result.matches.disparity_px, size) * (STEPS / most_px), 0, STEPS)
        colours = _colours(np.arange(STEPS + 1) / STEPS)
    else:
        return np.full((size.height, size.width, 3), UNKNOWN_BGR, np.uint8)
    step = np.where(_nearest(known.view(np.uint8), size), steps, np.float32(STEPS + 1)).astype(np.int16)
    return np.asarray(cv2.cvtColor(colours.take(step).view(np.uint8).reshape(*step.shape, 4), cv2.COLOR_BGRA2BGR))


@lru_cache(maxsize=8)
def _depth_colours(near_m: float, far_m: float) -> Colours:
    depth_m = np.clip(np.arange(STEPS + 1) * (far_m / STEPS), near_m, far_m)
    return _colours(np.log(far_m / depth_m) / np.log(far_m / near_m))


def _colours(warmth: FloatArray) -> Colours:
    """(STEPS + 2,) BGRX of warmth from 0 to 1, and last what is unknown."""
    shades = cv2.applyColorMap((18 + 222 * warmth).astype(np.uint8), cv2.COLORMAP_TURBO).reshape(-1, 3)
    colours = np.vstack([shades, np.array([UNKNOWN_BGR], np.uint8)])
    return np.ascontiguousarray(np.pad(colours, ((0, 0), (0, 1)))).view(np.uint32).ravel()


def _confidence(result: Result, size: Size) -> Image:
    certainty = _nearest(result.matches.certainty, size)
    grey = (255 * np.minimum(np.maximum(certainty, np.float32(0)), np.float32(1))).astype(np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))


def _nearest(values: Values, size: Size) -> Values:
    if Size.of(values) == size:
        return values
    smaller: Values = cv2.resize(values, size, interpolation=cv2.INTER_NEAREST)
    return smaller


class Encoder:
    """JPEG of results, once for all viewers who look the same way; it counts what it did."""

    MOST_KEPT = 4

    def __init__(self) -> None:
        self.encoded = 0
        self._canvas: Image | None = None
        self._kept: OrderedDict[tuple[int, Look], bytes] = OrderedDict()

    def __call__(self, result: Result, look: Look) -> bytes:
        key = result.index, look
        if key not in self._kept:
            self.encoded += 1
            _, data = cv2.imencode(".jpg", self._drawn(result, look), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            self._kept[key] = bytes(data)
            while len(self._kept) > self.MOST_KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    def _drawn(self, result: Result, look: Look) -> Image:
        """The same memory is drawn into again and again: fresh memory costs more than the drawing."""
        self._canvas = draw(result, look, self._canvas)
        return self._canvas
