"""Levenberg-Marquardt refinement of a two-view motion on robust Sampson errors, with its covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray, Mask

from .motion import TwoViewMotion
from .rays import RayPairs
from .robust import INLIER_SIGMAS, cost_over_scales, m_covariance, robust_scale, tukey_cost, tukey_weight
from .sampson import sampson_jacobian, sampson_px
from .triangulate import mallows_weight

START_NOISE_PX = 0.5
MOST_STEPS = 15
SMALLEST_STEP = 1e-2
"""A step that moves the motion by less than this share of its sigma changes nothing any more."""

MOST_DAMPING = 1e2


@dataclass(frozen=True, slots=True, eq=False)
class RefinedMotion:
    """A refined motion with its residuals and their Jacobian."""

    motion: TwoViewMotion
    noise_px: float  # standard deviation of one coordinate of a match
    distance_px: FloatArray  # (N,) Sampson distances
    weight: FloatArray  # (N,) as in mallows_weight
    jacobian: FloatArray  # (5, N) px of the distances by the numbers of TwoViewMotion.moved

    @property
    def inliers(self) -> Mask:
        """(N,)"""
        return np.asarray((np.abs(self.distance_px) <= INLIER_SIGMAS * self.noise_px) & (self.weight > 0))

    def cost_over_scales(self) -> float:
        """How badly it fits, whatever the noise may be: hypotheses compare by it."""
        return cost_over_scales(self.distance_px, self.weight > 0)

    def covariance(self, block: IntArray | None) -> FloatArray:
        """(5, 5) rad^2 of the numbers of ``TwoViewMotion.moved``; ``block`` (N,) is that of the refinement's rays."""
        return m_covariance(self.jacobian, self.distance_px, self.noise_px, self.weight, block)


def refine_motion(
    rays: RayPairs, start: TwoViewMotion, noise_px: float = START_NOISE_PX, steps: int = MOST_STEPS
) -> RefinedMotion:
    """Levenberg-Marquardt on the Sampson distances of all matches, outliers among them, from ``start``.

    ``noise_px`` is where the noise starts from; it follows the distances from step to step.
    """
    motion, damping = start, 1e-3
    distance, jacobian = sampson_jacobian(rays, motion)
    for _ in range(steps):
        noise_px = robust_scale(distance, noise_px)
        weight = mallows_weight(rays, motion, distance, noise_px)
        step, size = _step(jacobian, weight * tukey_weight(distance / noise_px), distance, damping)
        moved = motion.moved(step)
        moved_distance = sampson_px(rays, moved.essential)
        if tukey_cost(moved_distance / noise_px, weight) <= tukey_cost(distance / noise_px, weight):
            motion, damping = moved, damping / 10
            distance, jacobian = sampson_jacobian(rays, motion)
        else:
            damping *= 10
        if size < SMALLEST_STEP * noise_px or damping > MOST_DAMPING:
            break
    noise_px = robust_scale(distance, noise_px)
    return RefinedMotion(motion, noise_px, distance, mallows_weight(rays, motion, distance, noise_px), jacobian)


def _step(jacobian: FloatArray, weight: FloatArray, distance: FloatArray, damping: float) -> tuple[FloatArray, float]:
    """The step, and its length in the metric of the information: with the noise as unit, in sigmas."""
    weighted = jacobian * weight
    hessian = weighted @ jacobian.T
    damped = hessian + damping * np.diag(np.diag(hessian)) + 1e-9 * np.eye(5)
    step = np.linalg.solve(damped, -weighted @ distance)
    return np.asarray(step), float(np.sqrt(max(step @ hessian @ step, 0)))
