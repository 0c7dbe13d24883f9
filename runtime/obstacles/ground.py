"""Ground plane by RANSAC in disparity space, where a plane is linear in the pixel and noise is the same everywhere.

Labayrade, Aubert, Tarel 2002 ("v-disparity") use the same linearity; here the plane has all three parameters.
"""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Mask
from roma_device.calibration.rectify import RectifiedRig

from .alignment import PlaneAlignment
from .obstacle_map import GroundPlane
from .options import ObstacleOptions
from .textures import Textures, noise_scale

SAMPLES, REFINED_ON = 1000, 2000
HYPOTHESES, REFINEMENTS = 60, 3
TOLERANCE_PX = 0.35
BAND, LEAST_BAND_PX, MOST_BAND_PX = 0.05, 0.5, 0.8
"""Points are refined with as far as this share of the disparity is off: what lies farther from the plane is another."""

LEAST_POINTS, LEAST_FITTED = 300, 12
ALIGNED_RANGES = 1.2
"""The images align what lies within so many times the range: farther away, floors are aliased."""

LEAST_SUPPORT = 0.1
LEAST_UPRIGHT = np.cos(np.radians(35.0))
"""Cosine of the tilt of a camera of whose mounting nothing is said; walls and slopes of furniture are steeper."""

HEIGHTS_M = (0.05, 4.0)
PRIOR_HEIGHT_SHARE, PRIOR_PITCH_DEG = 0.25, 8.0
"""How far the ground may be from what the settings say of the mounting."""

DOUBT = 16
"""Power of the certainty by which a point counts: the bulges over floors without texture are less certain by little."""

BELOW_COSTS = 1.5
"""A point below the ground cannot be: it counts against a plane, so that no table passes for the floor."""

STRONG_SUPPORT = 0.7
"""With this share of its support from before, the last plane is only refined."""

WEIGHT_OF_PAST, SAME_HEIGHT = 0.5, 0.05
"""The height is that of the frames before, so far as they agree within this share: a mounting does not jump."""


class GroundFinder:
    """Ground plane of each frame; that of the last frame is tried first. Use it from one thread."""

    def __init__(self, rig: RectifiedRig, options: ObstacleOptions, u: FloatImage, v: FloatImage) -> None:
        """``rig`` must be metric; ``u`` (columns) and ``v`` (rows) are the normalized places of the maps' pixels."""
        assert rig.focal_px is not None and rig.baseline_m is not None
        self._options, self._rng, self._u, self._v = options, np.random.default_rng(0), u, v
        self._focal_baseline = rig.focal_px * rig.baseline_m
        self._scale = noise_scale(rig)
        self._tolerance_px = TOLERANCE_PX * self._scale
        self._aligned = PlaneAlignment(rig, u, v, self._focal_baseline / (ALIGNED_RANGES * options.range_m))
        self._last: FloatArray | None = None
        self._last_support = 0.0
        self._height_m: float | None = None

    def find(
        self, disparity_px: FloatImage, near: Mask, certainty: FloatImage, textures: Textures | None = None
    ) -> GroundPlane | None:
        """The ground among the pixels ``near`` of a map of disparity with the rig's offset (px), each (rows, columns).

        With ``textures`` it is aligned by the images, too. None where no plausible plane has enough support.
        """
        rays, points_px, weight = self._drawn(disparity_px, near, certainty)
        fitted = None if len(points_px) < LEAST_POINTS else self._fitted(rays, points_px, weight)
        if fitted is not None and textures is not None:
            aligned = self._aligned(*fitted, disparity_px, near, textures)
            fitted = aligned if self._is_plausible(aligned[0][None])[0] else fitted
        ground = None if fitted is None else self._made(*fitted, rays[:, :SAMPLES], points_px[:SAMPLES])
        if ground is None:
            self._last = self._height_m = None
        return ground

    def _drawn(
        self, disparity_px: FloatImage, near: Mask, certainty: FloatImage
    ) -> tuple[FloatImage, FloatImage, FloatImage]:
        """Normalized (3, N: u, v, 1), disparity and weight of points in random order."""
        place = np.flatnonzero(near)
        place = place[self._rng.integers(0, max(1, len(place)), min(len(place), REFINED_ON))]
        row, column = np.divmod(place, near.shape[1])
        points_px = disparity_px.take(place)
        rays = np.stack([self._u.take(column), self._v.take(row), np.ones(len(place), np.float32)])
        # near ground says most of the height; where the network doubts, its disparity bulges
        return rays, points_px, np.sqrt(points_px) * _to_the(DOUBT, certainty.take(place))

    def _fitted(
        self, rays: FloatImage, points_px: FloatImage, weight: FloatImage
    ) -> tuple[FloatArray, FloatArray] | None:
        """Plane and normal matrix by the disparity alone."""
        sample, sample_px = np.ascontiguousarray(rays[:, :SAMPLES]), points_px[:SAMPLES]
        plane = self._from_last(sample, sample_px)
        if plane is None:
            plane = self._by_ransac(sample, sample_px)
            self._height_m = None
        return None if plane is None else self._refined(plane, rays, points_px, weight)

    def _made(
        self, plane: FloatArray, normal: FloatArray, sample: FloatImage, sample_px: FloatImage
    ) -> GroundPlane | None:
        plane = self._at_height(plane, normal)
        support = float((np.abs(plane @ sample - sample_px) < self._tolerance_px).mean())
        if support < LEAST_SUPPORT or not self._is_plausible(plane[None])[0]:
            return None
        self._last, self._last_support = plane, support
        slope = float(np.linalg.norm(plane))
        return GroundPlane(np.asarray(-plane / slope, np.float64), self._focal_baseline / slope, support)

    def _from_last(self, rays: FloatImage, disparity_px: FloatImage) -> FloatArray | None:
        if self._last is None:
            return None
        support = float((np.abs(self._last @ rays - disparity_px) < self._tolerance_px).mean())
        return self._last if support > STRONG_SUPPORT * self._last_support else None

    def _by_ransac(self, rays: FloatImage, disparity_px: FloatImage) -> FloatArray | None:
        """The plane (3,) with the best score, d = a u + b v + c for normalized u, v."""
        below_horizon = np.flatnonzero(rays[1] > np.median(rays[1]) - 0.1)
        picks = below_horizon[self._rng.integers(0, len(below_horizon), (4 * HYPOTHESES, 3))]
        systems = np.moveaxis(rays[:, picks], 0, -1).astype(np.float64)
        solvable = np.abs(np.linalg.det(systems)) > 1e-4
        planes = np.linalg.solve(systems[solvable], disparity_px[picks][solvable][..., None])[..., 0]
        planes = planes[self._is_plausible(planes)][:HYPOTHESES]
        if not len(planes):
            return None
        expected_px = planes.astype(np.float32) @ rays
        error_px = disparity_px - expected_px
        is_ground = np.abs(error_px) < self._tolerance_px
        # a smaller disparity than that of the ground on the same ray lies behind, and so below it
        is_below = (error_px < -2 * self._tolerance_px) & (expected_px > 2 * self._tolerance_px)
        score = is_ground.sum(axis=1) * planes[:, 1] / _slope(planes) - BELOW_COSTS * is_below.sum(axis=1)
        return np.asarray(planes[int(np.argmax(score))])

    def _is_plausible(self, planes: FloatArray) -> Mask:
        """(N,): looks like ground under a camera that is mounted as the settings say."""
        slope = _slope(planes)
        height_m = self._focal_baseline / slope
        plausible = (planes[:, 1] > 0) & (height_m > HEIGHTS_M[0]) & (height_m < HEIGHTS_M[1])
        wanted_m, wanted_deg = self._options.camera_height_m, self._options.camera_pitch_deg
        if wanted_m is not None:
            plausible &= np.abs(height_m - wanted_m) < PRIOR_HEIGHT_SHARE * wanted_m
        if wanted_deg is None:
            plausible &= planes[:, 1] > LEAST_UPRIGHT * slope
        else:
            pitch_deg = np.degrees(np.arcsin(np.clip(planes[:, 2] / slope, -1, 1)))
            plausible &= np.abs(pitch_deg - wanted_deg) < PRIOR_PITCH_DEG
        return np.asarray(plausible)

    def _refined(
        self, plane: FloatArray, rays: FloatImage, disparity_px: FloatImage, weight: FloatImage
    ) -> tuple[FloatArray, FloatArray] | None:
        """Least squares over what lies on the plane, a few times with a narrowing band."""
        normal_matrix, rays_, squared = None, rays.astype(np.float64), np.square(weight, dtype=np.float64)
        least_px, most_px = self._scale * LEAST_BAND_PX, self._scale * MOST_BAND_PX
        for step in range(REFINEMENTS):
            on_plane_px = plane @ rays_
            band_px = (2 - step / (REFINEMENTS - 1)) * np.minimum(np.maximum(BAND * on_plane_px, least_px), most_px)
            near = np.abs(on_plane_px - disparity_px) < band_px
            if np.count_nonzero(near) < LEAST_FITTED:
                break
            weighted = rays_ * (squared * near)
            normal = weighted @ rays_.T
            found = np.linalg.solve(normal, weighted @ disparity_px)
            if not self._is_plausible(found[None])[0]:
                break
            plane, normal_matrix = found, normal
        return None if normal_matrix is None else (plane, normal_matrix)

    def _at_height(self, plane: FloatArray, normal_matrix: FloatArray) -> FloatArray:
        """The plane that fits nearly as well at the height that the frames before agree on."""
        slope = float(np.linalg.norm(plane))
        height_m = self._focal_baseline / slope
        if self._height_m is None or abs(height_m / self._height_m - 1) > SAME_HEIGHT:
            self._height_m = height_m
            return plane
        self._height_m = WEIGHT_OF_PAST * self._height_m + (1 - WEIGHT_OF_PAST) * height_m
        wanted = self._focal_baseline / self._height_m
        step = np.linalg.solve(normal_matrix, plane / slope)
        moved = plane + step * (wanted - slope) / float(step @ plane / slope)
        return np.asarray(moved * wanted / np.linalg.norm(moved))


def _to_the(power: int, values: FloatImage) -> FloatImage:
    """``values`` to a ``power`` of two, by squares: numpy takes ten times as long."""
    while power > 1:
        values, power = values * values, power // 2
    return values


def _slope(planes: FloatArray) -> FloatArray:
    """(N,): length of planes (N, 3), which is px of disparity times the distance from the plane."""
    return np.asarray(np.sqrt(np.maximum((planes * planes).sum(axis=1), 1e-18)))
