"""Ground plane by RANSAC in disparity space, where a plane is linear in the pixel and noise is the same everywhere.

Labayrade, Aubert, Tarel 2002 ("v-disparity") use the same linearity; here the plane has all three parameters.
"""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask
from roma_device.calibration.rectify import RectifiedRig

from .obstacle_map import GroundPlane
from .options import ObstacleOptions

SAMPLES, HYPOTHESES, REFINEMENTS = 1000, 60, 4
TOLERANCE_PX = 0.35
REFERENCE_PX = 640
BAND, LEAST_BAND_PX, MOST_BAND_PX = 0.03, 0.2, 0.4
"""Points are refined with as far as this share of the disparity is off: what lies 3 % nearer is a kerb."""

LEAST_SUPPORT = 0.1
MOST_TILT_DEG = 35.0
"""Of a camera of whose mounting nothing is said; walls and slopes of furniture are steeper."""

HEIGHTS_M = (0.05, 4.0)
PRIOR_HEIGHT_SHARE, PRIOR_PITCH_DEG = 0.25, 8.0
"""How far the ground may be from what the settings say of the mounting."""

REFINED_ON = 4000
BELOW_COSTS = 1.5
"""A point below the ground cannot be: it counts against a plane, so that no table passes for the floor."""

STRONG_SUPPORT = 0.7
"""With this share of its support from before, the last plane is only refined."""


class GroundFinder:
    """Ground plane of each frame; that of the last frame is tried first. Use it from one thread."""

    def __init__(self, rig: RectifiedRig, options: ObstacleOptions) -> None:
        """``rig`` must be metric."""
        assert rig.focal_px is not None and rig.baseline_m is not None
        self._rig, self._options, self._rng = rig, options, np.random.default_rng(0)
        self._focal_px, self._focal_baseline = rig.focal_px, rig.focal_px * rig.baseline_m
        self._scale = noise_scale(rig)
        self._tolerance_px = TOLERANCE_PX * self._scale
        self._last: FloatArray | None = None
        self._last_support = 0.0

    def find(self, points: FloatArray) -> GroundPlane | None:
        """The ground among ``points`` (N, 3): column, row (px) and disparity with the rig's offset (px).

        None where no plausible plane has enough support.
        """
        if len(points) < 3 * SAMPLES // 40:
            self._last = None
            return None
        sample = points[self._rng.integers(0, len(points), min(SAMPLES, len(points)))]
        columns = np.column_stack([self._normalized(sample), np.ones(len(sample))])
        plane = self._from_last(columns, sample[:, 2])
        if plane is None:
            plane = self._by_ransac(columns, sample[:, 2])
        if plane is None:
            self._last = None
            return None
        more = points[self._rng.integers(0, len(points), min(REFINED_ON, len(points)))]
        plane = self._refined(plane, np.column_stack([self._normalized(more), np.ones(len(more))]), more[:, 2])
        ground = self._ground(plane, columns, sample[:, 2])
        self._last = None if ground is None else plane
        self._last_support = 0.0 if ground is None else ground.support
        return ground

    def _normalized(self, points: FloatArray) -> FloatArray:
        centre = np.array([self._rig.cx, self._rig.cy])
        return np.asarray((points[:, :2] - centre) / self._focal_px)

    def _from_last(self, columns: FloatArray, disparity_px: FloatArray) -> FloatArray | None:
        if self._last is None:
            return None
        support = float((np.abs(columns @ self._last - disparity_px) < self._tolerance_px).mean())
        return self._last if support > STRONG_SUPPORT * self._last_support else None

    def _by_ransac(self, columns: FloatArray, disparity_px: FloatArray) -> FloatArray | None:
        """The plane (3,) with the best score, d = a u + b v + c for normalized u, v."""
        below_horizon = np.flatnonzero(columns[:, 1] > np.median(columns[:, 1]) - 0.1)
        picks = below_horizon[self._rng.integers(0, len(below_horizon), (4 * HYPOTHESES, 3))]
        systems = columns[picks]
        solvable = np.abs(np.linalg.det(systems)) > 1e-4
        planes = np.linalg.solve(systems[solvable], disparity_px[picks][solvable][..., None])[..., 0]
        planes = planes[self._is_plausible(planes)][:HYPOTHESES]
        if not len(planes):
            return None
        error_px = disparity_px[:, None] - columns @ planes.T
        is_ground = np.abs(error_px) < self._tolerance_px
        # a smaller disparity than that of the ground on the same ray lies behind, and so below it
        is_below = (error_px < -2 * self._tolerance_px) & (columns @ planes.T > 2 * self._tolerance_px)
        score = is_ground.sum(axis=0) * np.cos(np.radians(_tilt_deg(planes))) - BELOW_COSTS * is_below.sum(axis=0)
        return np.asarray(planes[int(np.argmax(score))])

    def _is_plausible(self, planes: FloatArray) -> Mask:
        """(N,): looks like ground under a camera that is mounted as the settings say."""
        slope = np.linalg.norm(planes, axis=1)
        height_m = self._focal_baseline / np.maximum(slope, 1e-9)
        plausible = (planes[:, 1] > 0) & (height_m > HEIGHTS_M[0]) & (height_m < HEIGHTS_M[1])
        wanted_m, wanted_deg = self._options.camera_height_m, self._options.camera_pitch_deg
        if wanted_m is not None:
            plausible &= np.abs(height_m - wanted_m) < PRIOR_HEIGHT_SHARE * wanted_m
        if wanted_deg is None:
            plausible &= _tilt_deg(planes) < MOST_TILT_DEG
        else:
            pitch_deg = np.degrees(np.arcsin(np.clip(planes[:, 2] / np.maximum(slope, 1e-9), -1, 1)))
            plausible &= np.abs(pitch_deg - wanted_deg) < PRIOR_PITCH_DEG
        return np.asarray(plausible)

    def _refined(self, plane: FloatArray, columns: FloatArray, disparity_px: FloatArray) -> FloatArray:
        """Least squares over what lies on the plane, a few times with a narrowing band."""
        for step in range(REFINEMENTS):
            on_plane_px = columns @ plane
            band_px = np.clip(BAND * on_plane_px, self._scale * LEAST_BAND_PX, self._scale * MOST_BAND_PX) * (
                2 - step / (REFINEMENTS - 1)
            )
            near = np.abs(on_plane_px - disparity_px) < band_px
            if near.sum() < 12:
                return plane
            found = _weighted_fit(columns[near], disparity_px[near])
            if not self._is_plausible(found[None])[0]:
                return plane
            plane = found
        return plane

    def _ground(self, plane: FloatArray, columns: FloatArray, disparity_px: FloatArray) -> GroundPlane | None:
        support = float((np.abs(columns @ plane - disparity_px) < self._tolerance_px).mean())
        if support < LEAST_SUPPORT or not self._is_plausible(plane[None])[0]:
            return None
        slope = float(np.linalg.norm(plane))
        return GroundPlane(-plane / slope, self._focal_baseline / slope, support)


def _tilt_deg(planes: FloatArray) -> FloatArray:
    """(N,): between the planes' normals (N, 3) and the image's vertical."""
    slope = np.maximum(np.linalg.norm(planes, axis=1), 1e-9)
    return np.asarray(np.degrees(np.arccos(np.clip(planes[:, 1] / slope, -1, 1))))


def _weighted_fit(columns: FloatArray, disparity_px: FloatArray) -> FloatArray:
    """Least squares of relative rather than absolute disparity: near ground says most of the height."""
    weighted = columns * disparity_px[:, None]
    return np.asarray(np.linalg.solve(weighted.T @ weighted, weighted.T @ disparity_px**2))


def noise_scale(rig: RectifiedRig) -> float:
    """How much more disparity scatters than at 640 px: networks see wide images reduced to about that."""
    return max(1.0, rig.size.width / REFERENCE_PX)
