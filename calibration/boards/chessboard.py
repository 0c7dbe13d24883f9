"""The chessboard: found whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, GreyImage

from .board import Artwork, Detection, grid_points, rectangle, turned_half
from .subpixel import nearest_spacing, refined

CLASSIC_FLAGS = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK

GROWN_FROM = ((3, 3), (4, 3), (5, 5))


@dataclass(frozen=True)
class Chessboard:
    """``columns`` x ``rows`` inner corners, squares of ``square_m``."""

    columns: int
    rows: int
    square_m: float

    @property
    def spec(self) -> str:
        return f"chessboard:{self.columns}x{self.rows}:{self.square_m * 1000:g}mm"

    @cached_property
    def points_m(self) -> FloatArray:
        return grid_points(self.columns, self.rows, self.square_m)

    @property
    def is_symmetric(self) -> bool:
        return (self.columns + self.rows) % 2 == 0

    def detect(self, grey: GreyImage) -> Detection | None:
        """The sector based detector first, the older one where it fails; corners refined on the raw image."""
        shape = self.columns, self.rows
        found, corners = cv2.findChessboardCornersSB(grey, shape, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
        if not found:
            found, corners = cv2.findChessboardCorners(grey, shape, flags=CLASSIC_FLAGS)
        if not found:
            return None
        pixels = np.asarray(corners, np.float64).reshape(-1, 2)
        pixels = refined(grey, pixels, nearest_spacing(pixels))
        return Detection(np.arange(len(pixels)), self._ordered(grey, pixels))

    def _ordered(self, grey: GreyImage, pixels: FloatArray) -> FloatArray:
        """Columns to the right of each other for who looks at the board, and its dark first square in the corner.

        Either detector may start at any corner, in both senses of rotation.
        """
        grid = pixels.reshape(self.rows, self.columns, 2)
        along, down = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
        if along[0] * down[1] - along[1] * down[0] < 0:
            grid = grid[:, ::-1]
        flat = grid.reshape(-1, 2)
        if self.is_symmetric:
            upside_down = (flat[-1] - flat[0]).sum() < 0
        else:
            upside_down = _brightness(grey, grid[:2, :2]) > _brightness(grey, grid[-2:, -2:])
        return flat[turned_half(self.columns, self.rows)] if upside_down else flat

    def diagnose(self, grey: GreyImage) -> str:
        rows, columns = max((_largest_from(grey, start) for start in GROWN_FROM), key=lambda shape: shape[0] * shape[1])
        if rows * columns <= 9 or {rows, columns} == {self.rows, self.columns}:
            return ""
        return f"there is a chessboard with {max(rows, columns)}x{min(rows, columns)} inner corners in it"

    def artwork(self) -> Artwork:
        """A margin of one white square around; the upper left square is black."""
        side, shapes = self.square_m, []
        for row in range(self.rows + 1):
            shapes += [
                rectangle((column + 1) * side, (row + 1) * side, side, side)
                for column in range(row % 2, self.columns + 1, 2)
            ]
        return Artwork(((self.columns + 3) * side, (self.rows + 3) * side), (2 * side, 2 * side), tuple(shapes))


def _largest_from(grey: GreyImage, start: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the largest chessboard that the detector can grow from a small one, (0, 0) without any."""
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_LARGER
    found, _, meta = cv2.findChessboardCornersSBWithMeta(grey, start, flags)
    rows, columns = np.asarray(meta).shape[:2] if found else (0, 0)
    return int(rows), int(columns)


def _brightness(grey: GreyImage, cell: FloatArray) -> float:
    """Mean grey level around the middle of a cell given by its corners (2, 2, 2)."""
    middle = cell.reshape(4, 2).mean(axis=0)
    reach = max(1, int(0.15 * np.linalg.norm(cell[1, 1] - cell[0, 0])))
    x, y = np.clip(np.round(middle).astype(int), reach, np.array(grey.shape[::-1]) - reach - 1)
    return float(grey[y - reach : y + reach + 1, x - reach : x + reach + 1].mean())
