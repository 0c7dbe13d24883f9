"""-"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Image, Mask
from roma_device.calibration.lucas_kanade import follow_there_and_back
from roma_device.runtime.types import Matches

from .sparse_stereo import PATCH_PX
from .trackers import KltTracker

LEVELS = 1
"""Halvings of the images: matches of which the network is certain are off by a few px at most."""


class MatchesAll(Protocol):
    """A dense matcher, as far as a tracker needs it."""

    min_certainty: float

    def match_all(self, a: Image, b: Image) -> Matches:
        """Grey images (H, W) of one size -> where each pixel of the first lies in the second."""

    def close(self) -> None: ...


class NetworkTracker:
    """KLT tracker that begins where the network has them, so that no guess is needed.

    Points of which the network is not certain are left to KltTracker.
    """

    def __init__(self, matcher: MatchesAll) -> None:
        """Closes ``matcher``."""
        self._matcher = matcher
        self._klt = KltTracker()
        self._last: tuple[Image, Image, Matches] | None = None

    def follow(self, first: Image, second: Image, points: FloatArray, guess: FloatArray) -> tuple[FloatArray, Mask]:
        if not len(points):
            return np.empty((0, 2)), np.zeros(0, np.bool_)
        matches = self._matches(first, second)
        start = _at(matches.warp, points)
        sure = _at(matches.certainty, points)[:, 0] >= self._matcher.min_certainty
        places, found = np.empty_like(start), np.zeros(len(points), np.bool_)
        places[sure], found[sure] = follow_there_and_back(first, second, points[sure], start[sure], LEVELS, PATCH_PX)
        places[~sure], found[~sure] = self._klt.follow(first, second, points[~sure], guess[~sure])
        return places, found

    def close(self) -> None:
        self._last = None
        self._matcher.close()

    def _matches(self, first: Image, second: Image) -> Matches:
        """Of the last two images once more where they are asked for again: the network is what takes time."""
        if self._last is None or self._last[0] is not first or self._last[1] is not second:
            self._last = first, second, self._matcher.match_all(first, second)
        return self._last[2]


def _at(values: FloatImage, points: FloatArray) -> FloatArray:
    """(H, W[, C]) at (N, 2) px, bilinear -> (N, C or 1)."""
    x, y = points.astype(np.float32).T
    sampled = cv2.remap(values, x.reshape(-1, 1), y.reshape(-1, 1), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float64).reshape(len(points), -1)
