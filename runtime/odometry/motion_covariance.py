"""Covariance of a robustly fitted motion: HC3 sandwich of an M-estimate whose errors are correlated between neighbours.

Three things enter, each once. What single points really scatter, whatever noise was assumed: the sandwich of the
M-estimate (Huber 1967). That neighbours err alike, because their patches overlap: products of their scores, weighted
down with distance (Conley, "GMM estimation with cross sectional dependence", J. Econometrics 1999). And what all
points of a frame share, which no residual shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray

CAUCHY = 9.0
"""Squared residual in units of the noise at which a point has lost half its weight."""

REACH_PX = 32.0
"""Distance along x or y from which the errors of two points have nothing in common: three times the side of a
patch, as the weights fall linearly over it. On simulation errors are alike up to 16 px."""

COMMON_NOISE_PX = 0.003
"""Standard deviation of errors in u, v and d that all points of a frame share, between the 0.004 and 0.001 px that
the true residuals of points at 20-60 px and at over 60 px from each other have in common on simulation: from linear
interpolation, which draws patches toward half pixels, and from patches across edges of depth."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearMotion:
    """Least squares of a motion, linearized at one motion: residuals, Jacobian and information of every point."""

    residuals: FloatArray  # (N, 3) px, seen minus predicted; 0 where not seen
    jacobian: FloatArray  # (N, 3, 6) of the prediction by translation and rotation vector
    information: FloatArray  # (N, 3, 3) inverse covariance of the residuals, for the assumed noise

    @property
    def squared(self) -> FloatArray:
        """(N,) squared normalized residuals."""
        informed = (self.information @ self.residuals[:, :, None])[:, :, 0]
        return np.asarray((self.residuals * informed).sum(axis=1))

    @property
    def informed(self) -> FloatArray:
        """(N, 3, 6): information times jacobian."""
        return np.asarray(self.information @ self.jacobian)


def cauchy_weights(squared: FloatArray, noise: float) -> FloatArray:
    """Cauchy weights (N,) of squared normalized residuals (N,), whose variance is ``noise`` times the assumed one."""
    return np.asarray(1 / (1 + squared / (CAUCHY * noise)))


def motion_covariance(linear: LinearMotion, weights: FloatArray, noise: float, pixels: FloatArray) -> FloatArray:
    """Sandwich covariance (6, 6) of translation (m) and rotation vector (rad).

    ``weights`` (N,) are those of the fit, ``pixels`` (N, 2) tell who is whose neighbour.
    """
    informed = weights[:, None, None] * linear.informed
    scores = (informed * linear.residuals[:, :, None]).sum(axis=1)
    bread = informed.reshape(-1, 6).T @ linear.jacobian.reshape(-1, 6)
    bread -= 2 / (CAUCHY * noise) * scores.T @ scores  # moving a point's prediction changes its weight too
    inverse = np.linalg.pinv(bread, hermitian=True)
    scores = (informed * _leave_one_out(linear, weights, inverse)[:, :, None]).sum(axis=1)
    shared = informed.sum(axis=0) * COMMON_NOISE_PX
    kernel = _bartlett_weights(pixels)
    meat = scores.T @ kernel @ scores * _for_few(weights, kernel) + shared.T @ shared
    return np.asarray(inverse @ meat @ inverse)


def _for_few(weights: FloatArray, kernel: FloatArray) -> float:
    """Factor for a scatter that comes from few points and so is uncertain itself: the mean of its inverse is right.

    Normalized errors are then of Hotelling's distribution (1931), with as many degrees of freedom as there are
    points, less what neighbours have in common.
    """
    count = float(weights.sum() ** 2 / max(weights @ kernel**2 @ weights, 1e-12))
    return count / max(count - 7, 0.1 * count)


def _leave_one_out(linear: LinearMotion, weights: FloatArray, inverse: FloatArray) -> FloatArray:
    """(N, 3) residuals from a motion that was fitted without the point itself (HC3, MacKinnon and White 1985)."""
    hat = linear.jacobian @ inverse @ linear.jacobian.transpose(0, 2, 1) @ linear.information
    rest = np.eye(3) - weights[:, None, None] * hat
    return np.asarray(np.linalg.solve(rest, linear.residuals[:, :, None])[:, :, 0])


def _bartlett_weights(pixels: FloatArray) -> FloatArray:
    """(N, N) how much of two points' errors may be the same, 1 to 0; positive semidefinite (Bartlett's kernel)."""
    x, y = (np.maximum(1 - np.abs(axis[:, None] - axis) / REACH_PX, 0) for axis in pixels.T)
    return np.asarray(x * y)
