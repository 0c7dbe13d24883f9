"""Covariance of the calibration: residual variance plus jackknife over the views, and its propagation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import FloatArray

from .bundle_adjustment import BundleAdjustment, BundleState, moved_by
from .solution import BaseSolution

FLOOR_PX = 0.02
"""Corners are never taken for better than this: what they have in common does not show in residuals."""

BOARD_SCALE = 3e-4
"""Relative sigma of the board's true size about the stated one, as a good ruler leaves it: 0.1 mm in 300."""

Quantity = Callable[[BundleState], FloatArray]


def shared_covariance(solution: BaseSolution) -> FloatArray:
    """Covariance (S, S) of intrinsics, left then right, and of the pair's pose (rotation rad, translation m).

    The sum of two estimates. The first takes all corners for independent and follows from the size of the
    residuals. The second leaves out one view after the other (delete-one jackknife, one Newton step each): what
    disturbs one corner of a view, such as its blur or a board that is bent, disturbs the others as well, and
    then the first is far too sure of itself. With few views neither suffices alone. What is not known of the
    board's size comes on top of the baseline.
    """
    at = BundleAdjustment(solution.model, solution.corners).linearize(solution.state)
    shared = sum(map(len, solution.state.intrinsics)) + 6 * len(solution.state.from_first)
    freedom = max(sum(residual.size for residual in at.residuals) - len(at.hessian), 1)
    variance = max(float(sum((residual**2).sum() for residual in at.residuals)) / freedom, FLOOR_PX**2)
    parts = [_own_information(solution, view, shared) for view in range(len(solution.views))]
    total = _inverse(at.hessian)[:shared, :shared]
    information = _inverse(total)
    moved = [
        _inverse(information - part) @ gradient[:shared]
        for part, gradient in zip(parts, at.view_gradients, strict=True)
    ]
    spread, views = np.stack(moved), len(moved)
    covariance = np.asarray(variance * total + (views - 1) / views * spread.T @ spread)
    for pose in solution.state.from_first[-1:]:
        covariance[-3:, -3:] += BOARD_SCALE**2 * np.outer(pose.translation_m, pose.translation_m)
    return covariance


def _own_information(solution: BaseSolution, view: int, shared: int) -> FloatArray:
    """Fisher information (S, S) of one view about the shared unknowns once its own board pose is solved for."""
    part = replace(solution, views=solution.views[view : view + 1])
    alone = BundleAdjustment(solution.model, part.corners, has_prior=False).linearize(
        solution.state.of_views(np.array([view]))
    )
    across, own = alone.hessian[:shared, shared:], alone.hessian[shared:, shared:]
    return alone.hessian[:shared, :shared] - across @ np.linalg.solve(own, across.T)


def _inverse(hessian: FloatArray) -> FloatArray:
    """Inverse by the scaled matrix: its unknowns range from metres to coefficients of high powers."""
    scale = 1 / np.sqrt(np.diag(hessian))
    return np.asarray(np.linalg.pinv(hessian * np.outer(scale, scale), rcond=1e-13) * np.outer(scale, scale))


def propagated(solution: BaseSolution, covariance: FloatArray, quantity: Quantity) -> FloatArray:
    """Standard deviations (K,) of K numbers that follow from the shared unknowns, by a numerical Jacobian."""
    start = quantity(solution.state)
    columns = []
    for index, sigma in enumerate(np.sqrt(np.diag(covariance))):
        step = np.zeros(len(covariance) + 6 * len(solution.state.rotations))
        step[index] = 0.1 * sigma
        columns.append((quantity(moved_by(solution.state, step)) - start) / step[index] if sigma > 0 else 0 * start)
    jacobian = np.stack(columns, axis=-1)
    return np.asarray(np.sqrt(np.einsum("...i,ij,...j->...", jacobian, covariance, jacobian)))
