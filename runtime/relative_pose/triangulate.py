"""Triangulation of matches: cheirality (in front of both cameras) and parallax, and weights by leverage from these."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask

from .motion import TwoViewMotion
from .rays import RayPairs
from .robust import INLIER_SIGMAS, median

SIGNIFICANT = 4.0
"""Parallax in sigmas from which on the sign of a depth is known."""

USUAL_PARALLAX = 3.0
"""Parallax in medians from which on a point counts less."""


def cheirality_score(rays: RayPairs, motion: TwoViewMotion) -> float:
    """Cheirality in [-1, 1]: matches in front of both cameras minus the others, by the square root of their parallax.

    Far points have almost none, and the sign of their depth is noise.
    """
    in_front, parallax = _cheirality(rays, motion)
    weight = np.sqrt(parallax)
    return float((weight * np.where(in_front, 1.0, -1.0)).sum() / max(weight.sum(), 1e-300))


def mallows_weight(rays: RayPairs, motion: TwoViewMotion, distance_px: FloatArray, noise_px: float) -> FloatArray:
    """Mallows weight (N,) in [0, 1]: how much a point may say about the motion besides what its distance says.

    A wrong match that happens to lie on its epipolar line moves the motion by as much as its parallax is long, which
    for a short baseline is many times that of the true ones (a leverage point). So points behind a camera say
    nothing, and those with far more parallax than most say no more than those (a Mallows estimate).
    """
    in_front, parallax = _cheirality(rays, motion)
    parallax_px = rays.focal_px * parallax
    usual = parallax_px[(np.abs(distance_px) <= INLIER_SIGMAS * noise_px) & in_front]
    usual_px = max(median(usual) if len(usual) else 0.0, noise_px)
    weight = np.minimum(1.0, (USUAL_PARALLAX * usual_px / np.maximum(parallax_px, 1e-9)) ** 2)
    return np.where(in_front | (parallax_px < SIGNIFICANT * noise_px), weight, 0.0)


def _cheirality(rays: RayPairs, motion: TwoViewMotion) -> tuple[Mask, FloatArray]:
    """Which points (N,) lie in front of both cameras, and their parallax (N,): distance in focal lengths."""
    rotated = motion.rotation @ rays.a
    along_a, along_b = motion.direction @ rotated, motion.direction @ rays.b
    # Lagrange's identity: cross products of rotated, b and the direction by their scalar products, which cost less
    product, square_a, square_b = (_dot(*two) for two in ((rotated, rays.b), (rotated, rotated), (rays.b, rays.b)))
    in_front = (along_b * product > along_a * square_b) & (along_b * square_a > along_a * product)
    return in_front, np.sqrt(np.maximum(square_b - product**2 / square_a, 0))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """(N,) of two times (3, N)."""
    return np.asarray(np.einsum("in,in->n", a, b))
