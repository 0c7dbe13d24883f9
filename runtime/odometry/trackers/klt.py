"""KLT tracker (Kanade, Lucas, Tomasi): points followed by the patches around them, in a few milliseconds."""

from __future__ import annotations

from roma_device.calibration.arrays import FloatArray, Image, Mask
from roma_device.calibration.lucas_kanade import follow_there_and_back
from roma_device.runtime.odometry.sparse_stereo import PATCH_PX

LEVELS = 4
"""Halvings of the images: a guess may be off by some 80 px."""


class KltTracker:
    """KLT tracker: it aligns the patch of the first image itself, so that nothing drifts however long it goes on."""

    def follow(self, first: Image, second: Image, points: FloatArray, guess: FloatArray) -> tuple[FloatArray, Mask]:
        return follow_there_and_back(first, second, points, guess, LEVELS, PATCH_PX)

    def close(self) -> None:
        """Nothing is held."""
