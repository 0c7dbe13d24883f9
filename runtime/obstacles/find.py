"""Obstacles of a frame: points above the ground, gathered in the cells of a grid and by direction."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage, IntArray, Mask
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.rectified_images import RectifiedImages

from .grid import Grid
from .ground import GroundFinder
from .image_proof import Evidence, ImageProof
from .obstacle_map import GridCells, GroundPlane, NearestObstacle, ObstacleMap
from .options import ObstacleOptions
from .textures import Textures, noise_scale

STRIDE_PX = 2
NOISE_PX = 0.25
"""Standard deviation of disparity on the ground; three of them in height are no obstacle."""

FITTED_RANGES = 1.5
"""The ground is fitted up to so many times the range: far away, everything lies within a pixel of it."""

STEP_PX, STEP_SHARE = 2.0, 0.1
"""Neighbours whose disparity differs by more lie on both sides of a depth edge, and matchers invent what is between."""

LEAST_GROUND = 3
SCAN_STEP_PX = 4
SCAN_SUPPORT = 3
_THREE = np.ones((3, 3), np.uint8)
MOST_MM = 1 << 20
"""More than any distance on the grid, so that direction and distance sort as one number."""


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """Places on the ground (rows, columns) of what is seen, in metres; what is not known is nonsense."""

    forward_m: FloatImage
    right_m: FloatImage
    height_m: FloatImage
    is_obstacle: Mask
    is_ground: Mask


class ObstacleFinder:
    """Obstacle map of each frame of a metric rig; remembers the ground. Use it from one thread."""

    def __init__(self, rig: RectifiedRig, options: ObstacleOptions) -> None:
        assert rig.focal_px is not None and rig.baseline_m is not None
        self._options, self._offset_px = options, np.float32(rig.disparity_offset_px)
        self._focal_baseline = np.float32(rig.focal_px * rig.baseline_m)
        self._scale = noise_scale(rig)
        self._noise_px = NOISE_PX * self._scale
        self._u = ((np.arange(0, rig.size.width, STRIDE_PX) - rig.cx) / rig.focal_px).astype(np.float32)
        self._v = ((np.arange(0, rig.size.height, STRIDE_PX) - rig.cy) / rig.focal_px).astype(np.float32)
        self._ground, self._proof = GroundFinder(rig, options, self._u, self._v), ImageProof(rig, STRIDE_PX)
        half_m = max(options.corridor_m, options.range_m * float(np.abs(self._u).max()))
        self._grid = Grid(options, half_m, rig.focal_px / STRIDE_PX)
        self._places = np.empty(
            (3, len(self._v), len(self._u)), np.float32
        )  # forward, right, up: made anew by each frame
        self._directions = -np.arctan(self._u[:: SCAN_STEP_PX // STRIDE_PX])

    def find(
        self,
        disparity_px: FloatImage,
        valid: Mask,
        certainty: FloatImage,
        images: RectifiedImages | None = None,
    ) -> ObstacleMap:
        """Obstacles by disparity, what of it counts, and its certainty, each (H, W) at the rig's size.

        With ``images`` an obstacle that is barely above the ground counts only where they bear it out.
        """
        every = slice(None, None, STRIDE_PX)
        shift_px, sure = disparity_px[every, every] + self._offset_px, np.ascontiguousarray(certainty[every, every])
        known = valid[every, every] & (shift_px > 0)
        near = known & (shift_px > self._focal_baseline / np.float32(FITTED_RANGES * self._options.range_m))
        textures = None if images is None else Textures(images, STRIDE_PX)
        ground = self._ground.find(shift_px, near, sure, textures)
        if ground is None:
            return self._made(None, self._grid.unknown(), np.full(len(self._directions), np.nan, np.float32), None)
        return self._map(ground, shift_px, known, sure, textures)

    def _made(
        self, ground: GroundPlane | None, grid: GridCells, scan_m: FloatImage, nearest: NearestObstacle | None
    ) -> ObstacleMap:
        clear_m = self._grid.clear_m(grid)
        return ObstacleMap(ground, grid, self._options.cell_m, scan_m, self._directions, nearest, clear_m)

    def _map(
        self, ground: GroundPlane, shift_px: FloatImage, known: Mask, sure: FloatImage, textures: Textures | None
    ) -> ObstacleMap:
        surface, grid = self._surface(ground, shift_px, known), self._grid
        cells = grid.cells(surface.forward_m, surface.right_m)
        place = np.flatnonzero(surface.is_obstacle)
        cell = cells.take(place)
        obstacles, grounds = grid.count(cell), grid.count(cells[surface.is_ground])
        occupied = grid.occupied(ground, obstacles)
        if textures is not None and occupied.any():
            evidence = self._evidence(textures, ground, place, shift_px.take(place), sure.take(place))
            occupied = self._proof.proven(occupied, grid, cell, evidence)
        hits = place[occupied.ravel()[np.maximum(cell, 0)] & (cell >= 0)]
        places = np.stack([each.take(hits) for each in (surface.forward_m, surface.right_m, surface.height_m, sure)])
        scan_m = self._scan(hits % len(self._u), np.hypot(places[0], places[1]), surface.is_ground)
        return self._made(ground, grid.states(ground, occupied, obstacles, grounds), scan_m, self._nearest(places))

    def _evidence(
        self, textures: Textures, ground: GroundPlane, place: IntArray, shift_px: FloatImage, sure: FloatImage
    ) -> Evidence:
        row, column = np.divmod(place, len(self._u))
        plane = (-self._focal_baseline / ground.height_m * ground.up).astype(np.float32)
        ground_px = (plane[0] * self._u).take(column) + (plane[1] * self._v + plane[2]).take(row)
        above_horizon = np.float32(0)
        return self._proof.evidence(textures, (row, column), shift_px, np.maximum(ground_px, above_horizon), sure)

    def _surface(self, ground: GroundPlane, shift_px: FloatImage, known: Mask) -> _Surface:
        options = self._options
        depth_m = self._focal_baseline / np.maximum(shift_px, np.float32(1e-3))
        for axis, place_m in zip(ground.axes.astype(np.float32), self._places, strict=True):
            np.add((axis[0] * self._u)[None], (axis[1] * self._v + axis[2])[:, None], out=place_m)
            place_m *= depth_m
        forward_m, right_m, height_m = self._places
        height_m += np.float32(ground.height_m)
        noise = np.float32(3 * self._noise_px * ground.height_m / self._focal_baseline)
        limit_m = np.maximum(np.float32(options.min_height_m), noise * depth_m)
        inside = known & (forward_m > 0) & (forward_m < options.range_m)
        inside &= self._is_smooth(shift_px)
        is_obstacle = inside & (height_m > limit_m) & (height_m < options.max_height_m)
        is_ground = inside & (np.abs(height_m) < limit_m)
        return _Surface(forward_m, right_m, height_m, is_obstacle, is_ground)

    def _is_smooth(self, shift_px: FloatImage) -> Mask:
        """(rows, columns): no depth edge runs through the neighbourhood, in what is uncertain neither."""
        range_px = cv2.morphologyEx(np.nan_to_num(shift_px, posinf=0, neginf=0), cv2.MORPH_GRADIENT, _THREE)
        step_px = np.maximum(np.float32(STEP_PX * self._scale), np.float32(STEP_SHARE) * shift_px)
        return np.asarray(range_px <= step_px)

    def _scan(self, column: IntArray, distance_m: FloatImage, is_ground: Mask) -> FloatImage:
        """By direction: the obstacle that is third nearest, inf where there is ground alone, NaN where nothing is."""
        per_beam, count = SCAN_STEP_PX // STRIDE_PX, len(self._directions)
        seen = np.add.reduceat(is_ground.sum(axis=0), np.arange(count) * per_beam) >= LEAST_GROUND
        scan_m = np.where(seen, np.float32(np.inf), np.float32(np.nan)).astype(np.float32)
        ordered = np.sort(column // per_beam * MOST_MM + (1000 * distance_m).astype(np.int64))
        first = np.searchsorted(ordered, np.arange(count) * MOST_MM)
        has_enough = np.diff(first, append=len(ordered)) >= SCAN_SUPPORT
        scan_m[has_enough] = ordered[first[has_enough] + SCAN_SUPPORT - 1] % MOST_MM / 1000
        return np.asarray(scan_m, np.float32)

    def _nearest(self, places: FloatImage) -> NearestObstacle | None:
        """Of obstacle points (4, N): forward, right, up in metres, certainty."""
        ahead = places[:, np.abs(places[1]) <= self._options.corridor_m / 2]
        if ahead.shape[1] < SCAN_SUPPORT:
            return None
        nearest_m = np.partition(ahead[0], SCAN_SUPPORT - 1)[SCAN_SUPPORT - 1]
        part = ahead[:, ahead[0] <= nearest_m + 2 * self._options.cell_m]
        forward_m, right_m = np.median(part[0]), np.median(part[1])
        return NearestObstacle(float(forward_m), float(part[3].mean()), float(right_m), float(part[2].max()))
