"""From a motion that is nearly right to the most likely one near it, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray, Mask

from .motion import Motion
from .rays import RayPairs
from .robust import INLIER_SIGMAS, m_covariance, noise_of, tukey_cost, tukey_weight
from .sampson import sampson_px, sampson_slopes
from .triangulate import trust_of

START_NOISE_PX = 0.5
MOST_STEPS = 15
SMALLEST_STEP = 1e-2
"""A step that moves the motion by less than this share of its deviation changes nothing any more."""

MOST_DAMPING = 1e2


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """A motion and its residuals."""

    motion: Motion
    noise_px: float  # deviation of one coordinate of a match
    distance_px: FloatArray  # (N,) Sampson distances
    trust: FloatArray  # (N,) as in trust_of
    slopes: FloatArray  # (5, N) px of the distances by the numbers of Motion.moved

    @property
    def inliers(self) -> Mask:
        """(N,)"""
        return np.asarray((np.abs(self.distance_px) <= INLIER_SIGMAS * self.noise_px) & (self.trust > 0))

    def cost_at(self, noise_px: float) -> float:
        """In squared deviations; lower is better."""
        return tukey_cost(self.distance_px / noise_px, self.trust > 0)

    def covariance(self, block: IntArray | None) -> FloatArray:
        """(5, 5) rad^2 of the numbers of ``Motion.moved``; ``block`` (N,) is that of the refinement's rays."""
        return m_covariance(self.slopes, self.distance_px, self.noise_px, self.trust, block)


def refine(rays: RayPairs, start: Motion, noise_px: float = START_NOISE_PX, steps: int = MOST_STEPS) -> Refined:
    """Levenberg-Marquardt on the Sampson distances of all matches, outliers among them, from ``start``.

    ``noise_px`` is where the noise starts from; it follows the distances from step to step.
    """
    motion, damping = start, 1e-3
    distance, slopes = sampson_slopes(rays, motion)
    for _ in range(steps):
        noise_px = noise_of(distance, noise_px)
        trust = trust_of(rays, motion, distance, noise_px)
        step, size = _step(slopes, trust * tukey_weight(distance / noise_px), distance, damping)
        moved = motion.moved(step)
        moved_distance = sampson_px(rays, moved.essential)
        if tukey_cost(moved_distance / noise_px, trust) <= tukey_cost(distance / noise_px, trust):
            motion, damping = moved, damping / 10
            distance, slopes = sampson_slopes(rays, motion)
        else:
            damping *= 10
        if size < SMALLEST_STEP * noise_px or damping > MOST_DAMPING:
            break
    noise_px = noise_of(distance, noise_px)
    return Refined(motion, noise_px, distance, trust_of(rays, motion, distance, noise_px), slopes)


def _step(slopes: FloatArray, weight: FloatArray, distance: FloatArray, damping: float) -> tuple[FloatArray, float]:
    """The step, and its length in the metric of the information: with the noise as unit, in deviations."""
    weighted = slopes * weight
    hessian = weighted @ slopes.T
    damped = hessian + damping * np.diag(np.diag(hessian)) + 1e-9 * np.eye(5)
    step = np.linalg.solve(damped, -weighted @ distance)
    return np.asarray(step), float(np.sqrt(max(step @ hessian @ step, 0)))
