"""Sampson error of matches (distance from their epipolar lines, to first order) and its Jacobian.

Source: (Hartley and Zisserman, Multiple View Geometry, 11.4.3) with the noise of each image in its own
pixels: for noise of s px in every coordinate of both images its sigma is s px.
"""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import FloatArray

from .motion import TwoViewMotion
from .rays import RayPairs


def sampson_px(rays: RayPairs, essential: FloatArray) -> FloatArray:
    """Signed Sampson error (N,) of each match in px."""
    line_b, line_a = essential @ rays.a, essential.T @ rays.b
    return np.asarray((rays.b * line_b).sum(axis=0) / np.sqrt(_variance(rays, line_a, line_b)))


def sampson_jacobian(rays: RayPairs, motion: TwoViewMotion) -> tuple[FloatArray, FloatArray]:
    """The Sampson errors (N,) and their Jacobian (5, N) by the numbers of ``TwoViewMotion.moved``.

    Through the nine numbers of the essential matrix: the derivative by E[i, j] is ``b_i toward_a_j + to_b_i a_j``.
    """
    essential = motion.essential
    line_b, line_a = essential @ rays.a, essential.T @ rays.b
    root = np.sqrt(_variance(rays, line_a, line_b))
    distance = (rays.b * line_b).sum(axis=0) / root
    share = distance / root**2
    to_b = rays.b / root
    to_b[:2] -= line_b[:2] * (share / rays.focal_b_px**2)
    toward_a = line_a[:2] * (share / -(rays.focal_a_px**2))
    by_entry = to_b[:, None] * rays.a
    by_entry[:, :2] += rays.b[:, None] * toward_a
    return distance, motion.essential_jacobian().reshape(5, 9) @ by_entry.reshape(9, -1)


def _variance(rays: RayPairs, line_a: FloatArray, line_b: FloatArray) -> FloatArray:
    """(N,) of the numerator, for noise of 1 px."""
    in_b = (line_b[:2] ** 2).sum(axis=0) / rays.focal_b_px**2
    return np.asarray(np.maximum((line_a[:2] ** 2).sum(axis=0) / rays.focal_a_px**2 + in_b, 1e-24))
