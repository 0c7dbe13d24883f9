"""Restarts of the search where the direction is hardly known: a narrow view has several valleys that look alike.

A small turn and a small shift move a narrow view in nearly the same way, so the cost over the motion has a valley for
each way of sharing the parallax between them, and a search that samples five matches may end in any.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray

from .motion import TwoViewMotion
from .planar_scene import plane_motions
from .ransac import best_by_cheirality
from .rays import RayPairs
from .refine import RefinedMotion, refine_motion
from .rivals import evidence

UNSURE_DEG = 1.0
"""Standard deviation of the direction from which on other valleys are looked for."""

LITTLE_EVIDENCE = 2.0
"""Standard deviations up to which another valley is as good: there always are some, so less speaks against them than
against motions that a search found."""


def other_valleys(rays: RayPairs, found: RefinedMotion, rotation: FloatArray) -> list[RefinedMotion]:
    """Where the direction of ``found`` is hardly known: a motion that fits ``rays`` better, and those about as good.

    ``rotation`` (3, 3): that of a camera that only turned.
    """
    if not is_unsure(found, rays.block):
        return []
    others = list(_restarted(rays, found, rotation))
    best = min((found, *others), key=RefinedMotion.cost_over_scales)
    return [one for one in others if evidence(best, one, rays.block) < LITTLE_EVIDENCE]


def is_unsure(found: RefinedMotion, block: IntArray | None) -> bool:
    """Whether the direction is hardly known: then however many matches agree, other motions may fit better."""
    direction = found.covariance(block)[3:, 3:]
    return bool(np.linalg.eigvalsh(direction)[-1] > np.deg2rad(UNSURE_DEG) ** 2)


def _restarted(rays: RayPairs, found: RefinedMotion, rotation: FloatArray) -> Iterator[RefinedMotion]:
    """Refined from ``rotation`` and three directions at right angles, and from the motions of the plane that fits best.

    The three are the axes of the normals of the epipolar planes: the parallax that the rotation leaves supports them
    from the most to the least.
    """
    inliers = rays.chosen(found.inliers)
    normals = np.cross(rotation @ inliers.a, inliers.b, axis=0)
    normals /= np.maximum(np.linalg.norm(normals, axis=0), 1e-9)
    for axis in np.linalg.eigh(normals @ normals.T)[1].T:
        start = best_by_cheirality(inliers, [TwoViewMotion(rotation, sign * axis) for sign in (1.0, -1.0)])
        yield refine_motion(rays, start, found.noise_px)
    for start in plane_motions(inliers):
        yield refine_motion(rays, start, found.noise_px)
