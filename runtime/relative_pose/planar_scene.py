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
        """(N,) which matches lie on it."""
        a, b = rays.plane_points()
        moved = cv2.perspectiveTransform(np.ascontiguousarray(a[None]), self.homography)[0]
        return np.asarray(np.hypot(*(moved - b).T) <= self.limit_px)


def find_dominant_plane(rays: RayPairs, noise_px: float, seed: int) -> DominantPlane | None:
    """Homography by MAGSAC++ of the plane that dominates ``rays`` (inliers of a motion), None where none does."""
    limit_px = max(LEAST_LIMIT_PX, NOISES * math.sqrt(2) * noise_px)
    try:
        homography, _ = cv2.findHomography(*rays.plane_points(), usac_parameters(limit_px, seed, ITERATIONS))
    except cv2.error:
        return None
    if homography is None or not np.isfinite(homography).all():
        return None
    plane = DominantPlane(np.asarray(homography), limit_px)
    on_plane = plane.holds(rays)
    if on_plane.mean() < PLANAR_SHARE:
        return None
    return replace(plane, motions=_motions(rays.chosen(on_plane), plane.homography))


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
