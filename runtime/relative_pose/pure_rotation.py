"""Pure rotation: the fit for a camera that only turned, whose direction no image tells, and the test for parallax."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray, Mask
from roma_device.calibration.pose import nearest_rotation

from .motion import ROTATION_GENERATORS
from .rays import RayPairs
from .robust import m_covariance, robust_scale, tukey_weight

STEPS = 3
NOISES = 4.0
LEAST_PARALLAX_PX = 0.5
"""Lenses and shutters are not known better: what is below is no parallax, however many points agree on it."""

LEAST_MOVED, LEAST_MOVED_SHARE = 10, 0.03


@dataclass(frozen=True, slots=True, eq=False)
class PureRotation:
    """Pure-rotation model of the matches, and its reprojection error."""

    rotation: FloatArray  # (3, 3) b_from_a
    error_px: FloatArray  # (2, N) what it leaves unexplained in the second image
    jacobian: FloatArray  # (3, 2, N) px of that by a rotation about b's axes
    noise_px: float
    block: IntArray | None  # (N,) as in RayPairs

    @property
    def covariance(self) -> FloatArray:
        """(3, 3) rad^2, about b's axes."""
        block = None if self.block is None else np.tile(self.block, 2)
        flat, error_px = self.jacobian.reshape(3, -1), self.error_px.ravel()
        return m_covariance(flat, error_px, self.noise_px, np.ones(error_px.size), block)

    def has_parallax(self, noise_px: float) -> bool:
        """Parallax test: whether more points than chance would have it moved against the others.

        ``noise_px`` is that of one coordinate in one image; here two images' come together.
        """
        limit_px = max(NOISES * np.sqrt(2) * noise_px, LEAST_PARALLAX_PX)
        moved = int((np.hypot(*self.error_px) > limit_px).sum())
        return bool(moved >= max(LEAST_MOVED, LEAST_MOVED_SHARE * self.error_px.shape[1]))

    def agreeing(self, noise_px: float) -> Mask:
        """(N,) inliers: points that the rotation explains."""
        return np.asarray(np.hypot(*self.error_px) <= max(NOISES * np.sqrt(2) * noise_px, LEAST_PARALLAX_PX))


def fit_pure_rotation(rays: RayPairs, noise_px: float, start: FloatArray | None = None) -> PureRotation:
    """Gauss-Newton under Tukey's loss from ``start`` (3, 3), by default Kabsch's rotation of all points."""
    rotation = _kabsch(rays) if start is None else start
    error, jacobian = _errors(rays, rotation)
    for _ in range(STEPS):
        noise_px = robust_scale(error.ravel(), max(noise_px, 1.0))
        weight = tukey_weight(np.hypot(*error) / noise_px)
        weighted = jacobian * weight
        hessian = np.einsum("kin,jin->kj", weighted, jacobian) + 1e-9 * np.eye(3)
        step = np.linalg.solve(hessian, -np.einsum("kin,in->k", weighted, error))
        rotation = np.asarray(cv2.Rodrigues(step)[0]) @ rotation
        error, jacobian = _errors(rays, rotation)
    return PureRotation(rotation, error, jacobian, noise_px, rays.block)


def _kabsch(rays: RayPairs) -> FloatArray:
    """The rotation that brings the unit rays nearest to each other, by least squares."""
    a, b = (side / np.linalg.norm(side, axis=0) for side in (rays.a, rays.b))
    return nearest_rotation(b @ a.T)


def _errors(rays: RayPairs, rotation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Reprojection error (2, N) in px of b and its Jacobian (3, 2, N) by a rotation about b's axes."""
    rotated = rotation @ rays.a
    z = np.where(rotated[2] > 1e-3, rotated[2], 1e-3)
    projected = rotated[:2] / z
    jacobian = np.stack([(by_axis[:2] - projected * by_axis[2]) / z for by_axis in ROTATION_GENERATORS @ rotated])
    return rays.focal_b_px * (projected - rays.b[:2]), rays.focal_b_px * jacobian
