"""Obstacles of a frame: points above the ground, gathered in the cells of a grid and by direction."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatArray, FloatImage, IntArray, Mask
from roma_device.calibration.rectify import RectifiedRig

from .ground import GroundFinder, noise_scale
from .obstacle_map import FREE, OCCUPIED, UNKNOWN, GroundPlane, NearestObstacle, ObstacleMap
from .options import ObstacleOptions

STRIDE_PX = 2
NOISE_PX = 0.25
"""Standard deviation of disparity on the ground; three of them in height are no obstacle."""

FITTED_RANGES = 1.5
"""The ground is fitted up to so many times the range: far away, everything lies within a pixel of it."""

MOST_FITTED = 6000
LEAST_POINTS = 4
SHARE_OF_CELL = 0.12
"""A cell is occupied by obstacle points on this share of the pixels that an upright square of its side would fill."""

LEAST_GROUND = 3
GROUND_SHARE = 0.1
SCAN_STEP_PX = 4
SCAN_SUPPORT = 3
MOST_MM = 1 << 20
"""More than any distance on the grid, so that direction and distance sort as one number."""


class ObstacleFinder:
    """Obstacle map of each frame of a metric rig; remembers the ground. Use it from one thread."""

    def __init__(self, rig: RectifiedRig, options: ObstacleOptions) -> None:
        assert rig.focal_px is not None and rig.baseline_m is not None
        self._options, self._offset_px = options, np.float32(rig.disparity_offset_px)
        self._focal_px, self._focal_baseline = rig.focal_px, rig.focal_px * rig.baseline_m
        self._ground, self._noise_px = GroundFinder(rig, options), NOISE_PX * noise_scale(rig)
        self._column, self._row = (np.arange(0, count, STRIDE_PX) for count in rig.size)
        self._u = ((self._column - rig.cx) / rig.focal_px).astype(np.float32)
        self._v = ((self._row - rig.cy) / rig.focal_px).astype(np.float32)
        half = max(options.corridor_m, options.range_m * float(np.abs(self._u).max()))
        self._half_cells = int(np.ceil(half / options.cell_m))
        self._shape = int(np.ceil(options.range_m / options.cell_m)), 2 * self._half_cells
        self._directions = -np.arctan(self._u[:: SCAN_STEP_PX // STRIDE_PX])

    def find(self, disparity_px: FloatImage, valid: Mask, certainty: FloatImage) -> ObstacleMap:
        """Obstacles by disparity, what of it counts, and its certainty, each (H, W) at the rig's size."""
        every = slice(None, None, STRIDE_PX)
        shift_px = disparity_px[every, every] + self._offset_px
        known = valid[every, every] & (shift_px > 0)
        row, column = np.nonzero(known)
        shift_px = shift_px[row, column]
        near = np.flatnonzero(shift_px > self._focal_baseline / (FITTED_RANGES * self._options.range_m))
        near = near[:: max(1, len(near) // MOST_FITTED)]
        points = np.column_stack([self._column[column[near]], self._row[row[near]], shift_px[near]])
        ground = self._ground.find(points)
        if ground is None:
            return self._nothing_known()
        depth_m = self._focal_baseline / shift_px
        return self._map(ground, column, row, depth_m, certainty[every, every][row, column])

    def _nothing_known(self) -> ObstacleMap:
        grid = np.full(self._shape, UNKNOWN, np.int8)
        return self._made(None, grid, np.full(len(self._directions), np.nan, np.float32), None)

    def _made(
        self,
        ground: GroundPlane | None,
        grid: npt.NDArray[np.int8],
        scan_m: FloatImage,
        nearest: NearestObstacle | None,
    ) -> ObstacleMap:
        clear_m = self._clear_m(grid)
        return ObstacleMap(ground, grid, self._options.cell_m, scan_m, self._directions, nearest, clear_m)

    def _map(
        self, ground: GroundPlane, column: IntArray, row: IntArray, depth_m: FloatArray, certainty: FloatImage
    ) -> ObstacleMap:
        options = self._options
        forward_m, right_m, height_m = self._on_ground(ground, column, row, depth_m)
        noise_m = 3 * self._noise_px * ground.height_m / self._focal_baseline * depth_m
        limit_m = np.maximum(options.min_height_m, noise_m)
        inside = (forward_m > 0) & (forward_m < options.range_m)
        is_obstacle = inside & (height_m > limit_m) & (height_m < options.max_height_m)
        is_ground = inside & (np.abs(height_m) < limit_m)
        cell = self._cells(forward_m, right_m)
        obstacles = self._count(cell[is_obstacle])
        grounds = self._count(cell[is_ground])
        grid, occupied = self._states(ground, obstacles, grounds)
        hits = is_obstacle & occupied.ravel()[np.maximum(cell, 0)] & (cell >= 0)
        scan_m = self._scan(column, np.hypot(forward_m, right_m), hits, is_ground)
        places = np.stack([forward_m, right_m, height_m, certainty])[:, hits]
        return self._made(ground, grid, scan_m, self._nearest(places))

    def _on_ground(
        self, ground: GroundPlane, column: IntArray, row: IntArray, depth_m: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Forward, right and up of each point, in metres from the ground below the camera."""
        along = [
            depth_m * ((axis[0] * self._u)[column] + (axis[1] * self._v + axis[2])[row])
            for axis in ground.axes.astype(np.float32)
        ]
        return along[0], along[1], along[2] + np.float32(ground.height_m)

    def _cells(self, forward_m: FloatArray, right_m: FloatArray) -> IntArray:
        """Flat index of the cell of each point, -1 outside the grid."""
        rows, columns = self._shape
        ahead = np.floor(forward_m / self._options.cell_m).astype(np.int64)
        aside = np.floor(right_m / self._options.cell_m).astype(np.int64) + self._half_cells
        inside = (ahead >= 0) & (ahead < rows) & (aside >= 0) & (aside < columns)
        return np.where(inside, ahead * columns + aside, -1)

    def _count(self, cell: IntArray) -> FloatImage:
        counts = np.bincount(cell[cell >= 0], minlength=self._shape[0] * self._shape[1])
        return np.asarray(counts.reshape(self._shape), np.float32)

    def _states(
        self, ground: GroundPlane, obstacles: FloatImage, grounds: FloatImage
    ) -> tuple[npt.NDArray[np.int8], Mask]:
        """The grid, and its occupied cells. Free is only where the ground itself was seen, and nothing on it."""
        centre_m = (np.arange(self._shape[0]) + 0.5)[:, None] * self._options.cell_m
        side_px = self._focal_px * self._options.cell_m / np.hypot(centre_m, ground.height_m) / STRIDE_PX
        around = cv2.boxFilter(obstacles, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        needed = np.maximum(LEAST_POINTS, SHARE_OF_CELL * side_px**2)
        occupied = (around >= 2 * needed) & (obstacles >= np.maximum(1, needed / 3))
        seen_px = side_px**2 * ground.height_m / np.hypot(centre_m, ground.height_m)
        is_free = (grounds >= np.maximum(LEAST_GROUND, GROUND_SHARE * seen_px)) & (obstacles == 0)
        grid: npt.NDArray[np.int8] = np.where(occupied, OCCUPIED, np.where(is_free, FREE, UNKNOWN)).astype(np.int8)
        return grid, np.asarray(occupied)

    def _scan(self, column: IntArray, distance_m: FloatArray, hits: Mask, is_ground: Mask) -> FloatImage:
        """By direction: the obstacle that is third nearest, inf where there is ground alone, NaN where nothing is."""
        beam = column // (SCAN_STEP_PX // STRIDE_PX)
        count = len(self._directions)
        seen = np.bincount(beam[is_ground], minlength=count) >= LEAST_GROUND
        scan_m = np.where(seen, np.float32(np.inf), np.float32(np.nan)).astype(np.float32)
        ordered = np.sort(beam[hits] * MOST_MM + (1000 * distance_m[hits]).astype(np.int64))
        first = np.searchsorted(ordered, np.arange(count) * MOST_MM)
        has_enough = np.diff(first, append=len(ordered)) >= SCAN_SUPPORT
        scan_m[has_enough] = ordered[first[has_enough] + SCAN_SUPPORT - 1] % MOST_MM / 1000
        return np.asarray(scan_m, np.float32)

    def _nearest(self, places: FloatArray) -> NearestObstacle | None:
        """Of obstacle points (4, N): forward, right, up in metres, certainty."""
        ahead = places[:, np.abs(places[1]) <= self._options.corridor_m / 2]
        if ahead.shape[1] < SCAN_SUPPORT:
            return None
        nearest_m = np.partition(ahead[0], SCAN_SUPPORT - 1)[SCAN_SUPPORT - 1]
        part = ahead[:, ahead[0] <= nearest_m + 2 * self._options.cell_m]
        forward_m, right_m = np.median(part[0]), np.median(part[1])
        return NearestObstacle(float(forward_m), float(part[3].mean()), float(right_m), float(part[2].max()))

    def _clear_m(self, grid: npt.NDArray[np.int8]) -> float:
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
