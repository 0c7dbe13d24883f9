"""Occupancy grid on the ground: which cell a place lies in, and what a cell's counts make of it."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, IntArray, Mask

from .obstacle_map import FREE, OCCUPIED, UNKNOWN, GridCells, GroundPlane
from .options import ObstacleOptions

LEAST_POINTS = 4
SHARE_OF_CELL = 0.12
"""A cell is occupied by obstacle points on this share of the pixels that an upright square of its side would fill."""

LEAST_GROUND = 3
GROUND_SHARE = 0.1
_THREE = np.ones((3, 3), np.uint8)


class Grid:
    """Cells forward (rows) and to both sides (columns) of the camera."""

    def __init__(self, options: ObstacleOptions, half_m: float, focal_px: float) -> None:
        """``half_m``: reach to either side; ``focal_px``: of the map whose pixels are counted."""
        self._options, self._focal_px = options, focal_px
        self._half_cells = int(np.ceil(half_m / options.cell_m))
        self.shape = int(np.ceil(options.range_m / options.cell_m)), 2 * self._half_cells
        self._centre_m = (np.arange(self.shape[0]) + 0.5)[:, None] * options.cell_m

    def unknown(self) -> GridCells:
        """A grid of which nothing is known."""
        return np.full(self.shape, UNKNOWN, np.int8)

    def cells(self, forward_m: FloatImage, right_m: FloatImage) -> IntArray:
        """Flat index of the cell of each point (any shape), -1 outside the grid."""
        rows, columns = self.shape
        per_m = np.float32(1 / self._options.cell_m)
        ahead, aside = forward_m * per_m, right_m * per_m + np.float32(self._half_cells)
        inside = (ahead >= 0) & (ahead < rows) & (aside >= 0) & (aside < columns)
        with np.errstate(invalid="ignore"):  # what is unknown may lie anywhere
            return np.where(inside, ahead.astype(np.int32) * columns + aside.astype(np.int32), -1)

    def count(self, cell: IntArray, weight: FloatImage | None = None) -> FloatImage:
        """Points per cell, or the sum of their weights."""
        counts = np.bincount(cell + 1, weight, minlength=self.shape[0] * self.shape[1] + 1)[1:]
        return np.asarray(counts.reshape(self.shape), np.float32)

    def occupied(self, ground: GroundPlane, obstacles: FloatImage) -> Mask:
        """Cells that are filled enough by their ``obstacles`` (points) and those around them."""
        needed = np.maximum(LEAST_POINTS, SHARE_OF_CELL * self._side_px(ground) ** 2)
        return np.asarray((around_cells(obstacles) >= 2 * needed) & (obstacles >= np.maximum(1, needed / 2)))

    def states(self, ground: GroundPlane, occupied: Mask, obstacles: FloatImage, grounds: FloatImage) -> GridCells:
        """The grid. Free is only where the ground itself was seen, no point of an obstacle on it, and none beside it,
        whose foot is seen as far off as disparity is wrong there."""
        centre_m = self._centre_m
        seen_px = self._side_px(ground) ** 2 * ground.height_m / np.hypot(centre_m, ground.height_m)
        is_free = (grounds >= np.maximum(LEAST_GROUND, GROUND_SHARE * seen_px)) & (obstacles == 0)
        is_free &= cv2.dilate(occupied.view(np.uint8), _THREE) == 0
        return np.where(occupied, OCCUPIED, np.where(is_free, FREE, UNKNOWN)).astype(np.int8)

    def _side_px(self, ground: GroundPlane) -> FloatImage:
        """(rows, 1): length of a cell's side as the camera sees it upright."""
        return np.asarray(self._focal_px * self._options.cell_m / np.hypot(self._centre_m, ground.height_m))

    def clear_m(self, grid: GridCells) -> float:
        """How far the corridor is free without a gap, beyond the strip that the camera cannot see; 0: nowhere."""
        half = max(1, int(np.ceil(self._options.corridor_m / 2 / self._options.cell_m)))
        corridor = grid[:, self._half_cells - half : self._half_cells + half]
        is_free = (corridor == FREE).all(axis=1)
        if not is_free.any() or (corridor[: int(np.argmax(is_free))] == OCCUPIED).any():
            return 0.0
        first = int(np.argmax(is_free))
        blocked = ~is_free[first:]
        length = int(np.argmax(blocked)) if blocked.any() else len(blocked)
        return (first + length) * self._options.cell_m


def around_cells(values: FloatImage) -> FloatImage:
    """Sum over each cell and the eight around it."""
    return np.asarray(cv2.boxFilter(values, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT))
