"""M-estimation: Tukey's robust loss, the scale by the MAD, and the sandwich covariance (HC3) under both.

Tukey's biweight is 95 % efficient where errors are Gaussian, and takes no notice of what is more than TUKEY sigmas
away. The covariance is that of an M-estimate (Huber, Robust Statistics, 6.3): it takes the size of errors from the
errors themselves, for points of unequal quality too.
"""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray, Mask

TUKEY = 4.685
INLIER_SIGMAS = 3.0
NOISE_LIMITS_PX = (0.02, 2.0)
LEAST_POINTS = 8
MOST_LEVERAGE = 0.9
SCALES_PX = (0.15, 0.3, 0.6, 1.2)
"""Noise at which hypotheses are compared: none of them may choose its own."""


def robust_scale(distance_px: FloatArray, before_px: float) -> float:
    """Robust sigma (MAD) of the distances (N,) that are no outliers, from those near in terms of the last one."""
    size_px = np.abs(distance_px)
    near = size_px[size_px < TUKEY * before_px]
    if len(near) < LEAST_POINTS:
        return before_px
    return float(np.clip(1.4826 * median(near), *NOISE_LIMITS_PX))


def median(values: FloatArray) -> float:
    """Of values (N,) without NaN; as numpy's, in half of its time."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    ordered = np.partition(values, (middle - 1, middle))
    return float((ordered[middle - 1] + ordered[middle]) / 2)


def tukey_weight(normalized: FloatArray) -> FloatArray:
    """Tukey's biweight (N,) in [0, 1] of residuals over sigma."""
    return np.asarray(np.maximum(1 - (normalized / TUKEY) ** 2, 0) ** 2)


def tukey_losses(normalized: FloatArray, weight: FloatArray | Mask | None = None) -> FloatArray:
    """Twice the loss (N,) of each: for small errors the squares.

    What has less weight counts, for the rest of its share, as an outlier.
    """
    inside = np.maximum(1 - (normalized / TUKEY) ** 2, 0)
    gain = inside * inside * inside  # numpy's power is many times slower
    return np.asarray(TUKEY**2 / 3 * (1 - (gain if weight is None else gain * weight)))


def tukey_cost(normalized: FloatArray, weight: FloatArray | Mask | None = None) -> float:
    """Sum of ``tukey_losses``."""
    return float(tukey_losses(normalized, weight).sum())


def cost_over_scales(distance_px: FloatArray, weight: FloatArray | Mask | None = None) -> float:
    """Robust cost summed over several scales: how badly a hypothesis fits, whatever the noise may be."""
    return sum(tukey_cost(distance_px / scale, weight) for scale in SCALES_PX)


LEAST_BLOCKS = 3
"""Blocks per number of the motion that their variation is learnt from."""


def m_covariance(
    jacobian: FloatArray,
    distance_px: FloatArray,
    noise_px: float,
    weight: FloatArray,
    block: IntArray | None,
) -> FloatArray:
    """Sandwich covariance (P, P), HC3, from a Jacobian (P, N), distances (N,) and weights besides Tukey's (N,).

    A point's distance is what is left after the fit took its share of it, which for points of high leverage is much:
    it is divided by one minus the leverage (MacKinnon and White's HC3). Points of one ``block`` (N,) count as one
    observation.
    """
    normalized = distance_px / noise_px / TUKEY
    inside = np.maximum(1 - normalized**2, 0)
    curvature = np.where(inside > 0, weight * inside * (1 - 5 * normalized**2), 0)
    robust_weight = weight * inside**2
    inverse = np.linalg.pinv((jacobian * curvature) @ jacobian.T, hermitian=True)
    leverage = np.minimum(robust_weight * ((inverse @ jacobian) * jacobian).sum(axis=0), MOST_LEVERAGE)
    scores = jacobian * (robust_weight * distance_px / (1 - leverage))
    if block is not None:
        scores = _summed(scores, block)
    return np.asarray(inverse @ (scores @ scores.T) @ inverse)


def _summed(scores: FloatArray, block: IntArray) -> FloatArray:
    """Scores (P, N) -> those of the blocks (P, B), enlarged for their being few.

    Where blocks are too few to show how much they vary, each point's own score, as if all of a block were one.
    """
    sums = np.stack([np.bincount(block, row) for row in scores])
    count = int(sums.any(axis=0).sum())
    if count < LEAST_BLOCKS * len(scores):
        return np.asarray(scores * np.sqrt(scores.any(axis=0).sum() / max(count, 1)))
    return np.asarray(sums * np.sqrt(count / (count - len(scores))))
