"""Pictures of the live page: left image, depth and confidence beside or below each other, as JPEG."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import parse_qs

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, Image, Mask, Size
from roma_device.runtime.types import Result

JPEG_QUALITY = 80
WIDEST_PX = 640
UNKNOWN_BGR = (44, 44, 44)
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


def draw(result: Result, look: Look) -> Image:
    """Left, depth and confidence (H, W, 3), BGR."""
    size = shown_size(result)
    known = result.known & (result.matches.certainty >= look.min_confidence)
    pictures = [_left(result, size), _depth(result, known, look, size), _confidence(result, size)]
    return np.vstack(pictures) if look.is_column else np.hstack(pictures)


def _left(result: Result, size: Size) -> Image:
    left = cv2.resize(result.images.left, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(left, cv2.COLOR_GRAY2BGR) if left.ndim == 2 else left)


def _depth(result: Result, known: Mask, look: Look, size: Size) -> Image:
    """Near is warm; depth by its logarithm, disparity as it is."""
    mask = cv2.resize(known.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if result.depth is not None:
        depth_m = np.where(mask, _nearest(result.depth.depth_m, size), np.float32(look.far_m))
        span = np.float32(np.log(look.far_m / look.near_m))
        warmth = np.log(np.float32(look.far_m) / np.clip(depth_m, look.near_m, look.far_m)) / span
    elif result.matches.disparity_px is not None:
        most_px = np.float32(DISPARITY_SHARE * result.matches.disparity_px.shape[1])
        warmth = np.clip(_nearest(result.matches.disparity_px, size) / most_px, 0, 1)
    else:
        return np.full((size.height, size.width, 3), UNKNOWN_BGR, np.uint8)
    colours = cv2.applyColorMap((18 + 222 * warmth).astype(np.uint8), cv2.COLORMAP_TURBO)
    colours[~mask] = UNKNOWN_BGR
    return np.asarray(colours)


def _confidence(result: Result, size: Size) -> Image:
    grey = (255 * np.clip(_nearest(result.matches.certainty, size), 0, 1)).astype(np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))


def _nearest(values: FloatImage, size: Size) -> FloatImage:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_NEAREST), np.float32)


class Encoder:
    """JPEG of results, once for all viewers who look the same way; it counts what it did."""

    MOST_KEPT = 4

    def __init__(self) -> None:
        self.encoded = 0
        self._kept: OrderedDict[tuple[int, Look], bytes] = OrderedDict()

    def __call__(self, result: Result, look: Look) -> bytes:
        key = result.index, look
        if key not in self._kept:
            self.encoded += 1
            _, data = cv2.imencode(".jpg", draw(result, look), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            self._kept[key] = bytes(data)
            while len(self._kept) > self.MOST_KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]
