"""Lucas-Kanade tracking of points from one image to another, with a forward-backward check.

Source: Bouguet, "Pyramidal Implementation of the Lucas Kanade Feature Tracker", 2000, as OpenCV has it.
"""

from __future__ import annotations

import cv2
import numpy as np

from .arrays import FloatArray, GreyImage, Mask

RETURN_PX = 0.25
"""A point that is followed to the other image and back must come out this near to where it started."""

LEAST_TEXTURE = 1e-4
"""Smaller eigenvalue of a patch's gradient matrix, scaled as OpenCV does: what is smoother counts as not found."""

_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 0.005)


def follow_there_and_back(
    first: GreyImage,
    second: GreyImage,
    start: FloatArray,
    guess: FloatArray,
    levels: int,
    window_px: int = 21,
    least_texture: float = LEAST_TEXTURE,
) -> tuple[FloatArray, Mask]:
    """Track points (N, 2) px of the image ``first`` (H, W) to ``second``; also which of them were found.

    ``guess`` (N, 2) is where to begin; with ``levels`` halvings of the images it may be off by about
    ``window_px / 2 * 2**levels``. Found is what leads back to its start within RETURN_PX and lies in the image.
    """
    if not len(start):
        return np.empty((0, 2)), np.zeros(0, np.bool_)
    there, found = _follow(first, second, start, guess, levels, window_px, least_texture)
    back, returned = _follow(second, first, there, start, min(levels, 1), window_px, least_texture)
    height, width = second.shape
    inside = (there >= 0).all(axis=1) & (there[:, 0] <= width - 1) & (there[:, 1] <= height - 1)
    return there, found & returned & inside & (np.linalg.norm(back - start, axis=1) < RETURN_PX)


def _follow(
    first: GreyImage,
    second: GreyImage,
    start: FloatArray,
    guess: FloatArray,
    levels: int,
    window_px: int,
    least_texture: float,
) -> tuple[FloatArray, Mask]:
    points, found, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        start.astype(np.float32).reshape(-1, 1, 2),
        guess.astype(np.float32).reshape(-1, 1, 2).copy(),
        winSize=(window_px, window_px),
        maxLevel=levels,
        criteria=_CRITERIA,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        minEigThreshold=least_texture,
    )
    return np.asarray(points, np.float64).reshape(-1, 2), found.ravel() > 0
