"""Planar scenes: the dominant homography and its decomposition; two motions explain it, and RANSAC picks either.

The motions come from the homography (Malis and Vargas, INRIA RR-6303, as OpenCV has it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask

from .motion import TwoViewMotion
from .ransac import usac_parameters
from .rays import RayPairs

NOISES, LEAST_LIMIT_PX = 4.0, 1.0
"""Distance within which a match lies on a plane: in sigmas of one coordinate, and at least."""

PLANAR_SHARE = 0.8
"""Share of the matches on one plane from which on its motions are looked at too."""

NOTHING_ELSE_SHARE = 0.93
"""Share from which on what is off the plane is taken for wrong."""

WORTH_SHARE, GROWTH_STEPS = 0.4, 4
"""A plane with such a share at first may turn out to have twice as much."""

ITERATIONS = 50
"""Enough to find a plane with PLANAR_SHARE of the matches, and not wasted where there is none."""

SHORTEST_MOTION = 1e-3
"""Translation over the plane's distance below which a homography is a rotation."""


@dataclass(frozen=True, slots=True, eq=False)
class DominantPlane:
    """Dominant plane: its homography and the motions that it allows."""

    homography: FloatArray  # (3, 3) of RayPairs.plane_points
    limit_px: float  # within which a match lies on it
    motions: tuple[TwoViewMotion, ...] = ()  # that it allows

    def holds(self, rays: RayPairs) -> Mask:
        """(N,) which matches lie on it, by the image that shows it smaller: there noise of the other counts least."""
        a, b = rays.plane_points()
        try:
            back = np.asarray(np.linalg.inv(self.homography), np.float64)
        except np.linalg.LinAlgError:
            return np.zeros(len(rays), bool)
        away_px = np.minimum(_distance_px(a, b, self.homography), _distance_px(b, a, back))
        return np.asarray(away_px <= self.limit_px)


def _distance_px(start: FloatArray, end: FloatArray, homography: FloatArray) -> FloatArray:
    moved = cv2.perspectiveTransform(np.ascontiguousarray(start[None]), homography)[0]
    return np.asarray(np.hypot(*(moved - end).T))


def find_dominant_plane(rays: RayPairs, noise_px: float, seed: int) -> DominantPlane | None:
    """Homography by MAGSAC++ of the plane that dominates ``rays`` (inliers of a motion), None where none does."""
    limit_px = max(LEAST_LIMIT_PX, NOISES * math.sqrt(2) * noise_px)
    try:
        homography, _ = cv2.findHomography(*rays.plane_points(), usac_parameters(limit_px, seed, ITERATIONS))
    except cv2.error:
        return None
    if homography is None or not np.isfinite(homography).all():
        return None
    plane = _grown(DominantPlane(np.asarray(homography), limit_px), rays)
    on_plane = plane.holds(rays)
    if on_plane.mean() < PLANAR_SHARE:
        return None
    return replace(plane, motions=_motions(rays.chosen(on_plane), plane.homography))


def _grown(plane: DominantPlane, rays: RayPairs) -> DominantPlane:
    """Fitted to what lies on it, as long as that becomes more: a sample's homography may hold half of its plane."""
    on_plane = plane.holds(rays)
    for _ in range(GROWTH_STEPS):
        if not WORTH_SHARE <= on_plane.mean() < PLANAR_SHARE:
            break
        a, b = rays.plane_points()
        homography, _ = cv2.findHomography(a[on_plane], b[on_plane])
        if homography is None or not np.isfinite(homography).all():
            break
        grown = replace(plane, homography=np.asarray(homography))
        held = grown.holds(rays)
        if held.sum() <= on_plane.sum():
            break
        plane, on_plane = grown, held
    return plane


def plane_motions(rays: RayPairs) -> tuple[TwoViewMotion, ...]:
    """The motions of the plane that fits all matches best, by least squares, whether they lie on it or not."""
    try:
        homography, _ = cv2.findHomography(*rays.plane_points())
    except cv2.error:
        return ()
    return () if homography is None or not np.isfinite(homography).all() else _motions(rays, np.asarray(homography))


def _motions(rays: RayPairs, homography: FloatArray) -> tuple[TwoViewMotion, ...]:
    _, rotations, shifts, normals = cv2.decomposeHomographyMat(homography, rays.plane_matrix)
    return tuple(
        TwoViewMotion(np.asarray(rotation), np.asarray(shift).ravel() / np.linalg.norm(shift))
        for rotation, shift, normal in zip(rotations, shifts, normals, strict=True)
        if np.linalg.norm(shift) > SHORTEST_MOTION and _is_visible(rays, np.asarray(normal).ravel())
    )


def _is_visible(rays: RayPairs, normal: FloatArray) -> bool:
    """Whether the plane lies in front of the first camera where its points were seen."""
    return bool(np.mean(normal @ rays.a > 0) > 0.9)
