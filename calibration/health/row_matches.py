"""Subpixel matches of a rectified pair (ORB, then Lucas-Kanade), whose rows may differ: for epipolar residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, GreyImage
from roma_device.calibration.lucas_kanade import follow_there_and_back

MOST_POINTS = 400
MOST_ROWS_APART = 16
"""Rows by which a rig may be off for its points to be found at all."""

LEAST_DISPARITY_PX = -2.0


@dataclass(frozen=True, slots=True, eq=False)
class RowMatches:
    """Point matches of a rectified pair, with their epipolar residuals and disparities."""

    left: FloatArray  # (N, 2) px
    right: FloatArray  # (N, 2) px

    @property
    def vertical_px(self) -> FloatArray:
        """Epipolar residual (N,): right row minus left row."""
        return self.right[:, 1] - self.left[:, 1]

    @property
    def disparity_px(self) -> FloatArray:
        """Disparity (N,): left column minus right column."""
        return self.left[:, 0] - self.right[:, 0]

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def joined(cls, parts: list[RowMatches]) -> RowMatches:
        """All points of several pairs."""
        none = np.empty((0, 2))
        return cls(*(np.concatenate([none, *(getattr(part, side) for part in parts)]) for side in ("left", "right")))


def match_rows(left: GreyImage, right: GreyImage, disparity_px: FloatImage | None = None) -> RowMatches:
    """Match corners of a rectified pair (H, W).

    Where to look comes from ``disparity_px`` (H, W) if a matcher gave one, else from ORB features near the same
    row. Then the image patches themselves are aligned in x and y (Lucas-Kanade), there and back.
    """
    start, guess = _from_features(left, right) if disparity_px is None else _from_disparity(left, disparity_px)
    if not len(start):
        return RowMatches(start, guess)
    levels = 2 if disparity_px is None else 1
    there, good = follow_there_and_back(left, right, start, guess, levels)
    moved = there - start
    good &= (np.abs(moved[:, 1]) < MOST_ROWS_APART) & (-moved[:, 0] > LEAST_DISPARITY_PX)
    return RowMatches(start[good], there[good])


def _from_disparity(left: GreyImage, disparity_px: FloatImage) -> tuple[FloatArray, FloatArray]:
    corners = cv2.goodFeaturesToTrack(left, MOST_POINTS, 0.01, 10)
    start = np.empty((0, 2)) if corners is None else np.asarray(corners, np.float64).reshape(-1, 2)
    column, row = np.round(start).astype(int).T
    guess = start.copy()
    guess[:, 0] -= disparity_px[row, column]
    inside = guess[:, 0] > 0
    return start[inside], guess[inside]


def _from_features(left: GreyImage, right: GreyImage) -> tuple[FloatArray, FloatArray]:
    detector: Any = cv2.ORB_create(nfeatures=4 * MOST_POINTS, fastThreshold=10)  # type: ignore[attr-defined]
    (left_keys, left_words), (right_keys, right_words) = (
        detector.detectAndCompute(image, None) for image in (left, right)
    )
    if left_words is None or right_words is None:
        return np.empty((0, 2)), np.empty((0, 2))
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(left_words, right_words)
    if not pairs:
        return np.empty((0, 2)), np.empty((0, 2))
    start = np.array([left_keys[pair.queryIdx].pt for pair in pairs])
    guess = np.array([right_keys[pair.trainIdx].pt for pair in pairs])
    moved = guess - start
    likely = (np.abs(moved[:, 1]) < MOST_ROWS_APART) & (moved[:, 0] < -LEAST_DISPARITY_PX)
    likely &= moved[:, 0] > -0.5 * left.shape[1]
    return start[likely], guess[likely]
