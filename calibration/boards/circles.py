"""Asymmetric circle grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, GreyImage

from .board import Artwork, Detection, Disc

RADIUS_PER_SPACING = 0.4


@dataclass(frozen=True)
class CircleGrid:
    """``columns`` x ``rows`` circles as OpenCV counts them: 4 x 11 has 11 rows of 4, every second one shifted.

    ``spacing_m`` is half the distance between neighbours of one row. Under a strong tilt the middle of a
    circle's image is not the image of its middle: chessboards are more exact.
    """

    columns: int
    rows: int
    spacing_m: float

    @property
    def spec(self) -> str:
        return f"circles:{self.columns}x{self.rows}:{self.spacing_m * 1000:g}mm"

    @cached_property
    def points_m(self) -> FloatArray:
        row, column = np.mgrid[: self.rows, : self.columns]
        x, y = (2 * column + row % 2).ravel(), row.ravel()
        return np.column_stack([x, y, np.zeros(len(x))]) * self.spacing_m

    @property
    def is_symmetric(self) -> bool:
        return self.rows % 2 == 0

    def detect(self, grey: GreyImage) -> Detection | None:
        shape = self.columns, self.rows
        for flags in (cv2.CALIB_CB_ASYMMETRIC_GRID, cv2.CALIB_CB_ASYMMETRIC_GRID | cv2.CALIB_CB_CLUSTERING):
            found, centres = cv2.findCirclesGrid(grey, shape, flags=flags)
            if found:
                pixels = np.asarray(centres, np.float64).reshape(-1, 2)
                return Detection(np.arange(len(pixels)), pixels) if self._is_handed(pixels) else None
        return None

    def _is_handed(self, pixels: FloatArray) -> bool:
        """Columns run to the right of rows: otherwise it is the mirror image of the board."""
        grid = pixels.reshape(self.rows, self.columns, 2)
        along, down = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
        return bool(along[0] * down[1] - along[1] * down[0] > 0)

    def diagnose(self, grey: GreyImage) -> str:
        return ""

    def artwork(self) -> Artwork:
        margin = 2 * self.spacing_m
        size = self.points_m.max(axis=0)[:2] + 2 * margin
        radius = RADIUS_PER_SPACING * self.spacing_m
        discs = tuple(Disc((x + margin, y + margin), radius) for x, y, _ in self.points_m.tolist())
        return Artwork((float(size[0]), float(size[1])), (margin, margin), discs)
