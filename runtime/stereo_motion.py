"""Metric motion of a rig between two instants, from points seen by both cameras at both.

A point of the first pair has a place in the left image, which is exact since it says which patch is followed, and a
disparity with noise. In the second pair it is seen at (u, v) in the left image with a disparity d, all with noise, d
perhaps not at all. The motion is the one that predicts (u, v, d) best; each residual is weighted by the noise of both
instants, the first one's carried over by the derivative of the prediction. Sources: residuals as in Geiger et al.,
"StereoScan", IV 2011; weights of Cauchy, as in Triggs et al., "Bundle adjustment", 1999; sandwich covariance, Huber
1967.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig

from .stereo_points import SeenPoints, project, triangulate

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

PIXEL_NOISE_PX, DISPARITY_NOISE_PX = 0.2, 0.2
"""Standard deviations that weigh residuals against each other; the covariance does not trust them."""

COMMON_NOISE_PX = 0.01
"""Standard deviation of errors in u, v and d that all points of a frame share: from interpolation, which draws
patches toward certain fractions of a pixel, and from the rectification."""

INLIER = 16.3
"""Squared normalized residual (3 numbers) that good points exceed one time in a thousand."""

MEDIAN_SQUARED = 2.366
"""Median of the squared normalized residual where the noise is as assumed: of chi-square with 3 degrees of freedom."""

NEAR = 64.0
"""Squared normalized residual beyond which a point follows another motion."""

CAUCHY = 9.0
"""Squared normalized residual at which a point has lost half its weight."""

MOST_STEPS, LEAST_GAIN = 20, 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How the rig moved."""

    second_from_first: Pose
    covariance: FloatArray  # (6, 6) of translation (m), then rotation vector (rad), both in the second left frame
    inliers: Mask  # (N,)
    noise: float  # variance of the residuals over the assumed one, at least 1


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    """The problem at one motion."""

    residuals: FloatArray  # (N, 3) px, seen minus predicted
    jacobian: FloatArray  # (N, 3, 6) of the prediction by translation and rotation vector
    information: FloatArray  # (N, 3, 3) inverse covariance of the residuals

    @property
    def squared(self) -> FloatArray:
        """(N,) squared normalized residuals."""
        pulled = (self.information @ self.residuals[:, :, None])[:, :, 0]
        return np.asarray((self.residuals * pulled).sum(axis=1))

    @property
    def informed(self) -> FloatArray:
        """(N, 3, 6): information times jacobian."""
        return np.asarray(self.information @ self.jacobian)


def refine(points: SeenPoints, rig: RectifiedRig, start: Pose) -> Motion:
    """The motion that fits all points best in the robust sense (Levenberg-Marquardt from ``start``)."""
    pose, damping = start, 1e-4
    linear = _linearize(points, rig, pose)
    cost = _cost(linear)
    for _ in range(MOST_STEPS):
        tried = _moved(pose, _solve(linear, 1 / (1 + linear.squared / CAUCHY), damping))
        new = _linearize(points, rig, tried)
        gain, damping = cost - _cost(new), damping * 10
        if gain >= 0:
            pose, linear, cost, damping = tried, new, cost - gain, damping / 100
        if damping > 1e4 or 0 <= gain < LEAST_GAIN * cost:
            break
    return _motion(pose, linear)


def extend(points: SeenPoints, rig: RectifiedRig, motion: Motion) -> Motion:
    """The motion again, from all points near it instead of those that it was found from; the rest is left out.

    Left in with small weights, a crowd that moves otherwise would still pull the motion over.
    """
    near = _linearize(points, rig, motion.second_from_first).squared < NEAR * motion.noise
    again = refine(points.of(near), rig, motion.second_from_first)
    inliers = np.zeros(len(points), np.bool_)
    inliers[near] = again.inliers
    return replace(again, inliers=inliers)


def _linearize(points: SeenPoints, rig: RectifiedRig, pose: Pose) -> _Linear:
    assert rig.focal_px is not None and rig.baseline_m is not None
    first_m = triangulate(points.pixels, points.disparity_px, rig)
    turned_m = first_m @ pose.rotation.T
    second_m = turned_m + pose.translation_m
    predicted = project(second_m, rig)
    behind = ~np.isfinite(predicted[:, 0])
    slope = _slope(second_m, rig)
    jacobian = np.concatenate([slope, -slope @ _cross(turned_m)], axis=2)
    by_disparity = -(slope @ turned_m[:, :, None])[:, :, 0] / (points.disparity_px + rig.disparity_offset_px)[:, None]
    known = np.isfinite(points.seen)
    known[behind] = False
    residuals = np.where(known, points.seen - predicted, 0.0)
    noise = np.array([PIXEL_NOISE_PX, PIXEL_NOISE_PX, DISPARITY_NOISE_PX])
    information = _information(known / noise**2, by_disparity * DISPARITY_NOISE_PX)
    return _Linear(residuals, np.where(behind[:, None, None], 0.0, jacobian), information)


def _slope(points_m: FloatArray, rig: RectifiedRig) -> FloatArray:
    """(N, 3, 3): derivative of ``project`` by the point."""
    assert rig.focal_px is not None and rig.baseline_m is not None
    z = np.maximum(points_m[:, 2], 1e-3)
    slope = np.zeros((len(z), 3, 3))
    slope[:, 0, 0] = slope[:, 1, 1] = rig.focal_px / z
    slope[:, 0, 2], slope[:, 1, 2] = (-rig.focal_px * points_m[:, axis] / z**2 for axis in (0, 1))
    slope[:, 2, 2] = -rig.focal_px * rig.baseline_m / z**2
    return slope


def _cross(vectors: FloatArray) -> FloatArray:
    """(N, 3, 3): ``_cross(a) @ b`` is a x b."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)


def _information(diagonal: FloatArray, spread: FloatArray) -> FloatArray:
    """Inverse of ``diag(1 / diagonal) + spread spread^T`` (Sherman-Morrison); (N, 3), (N, 3) -> (N, 3, 3).

    Zeros of ``diagonal`` stand for numbers that were not seen.
    """
    weighted = diagonal * spread
    share = 1 + (weighted * spread).sum(axis=1)
    inverse = -weighted[:, :, None] * weighted[:, None, :] / share[:, None, None]
    inverse[:, (0, 1, 2), (0, 1, 2)] += diagonal
    return np.asarray(inverse)


def _solve(linear: _Linear, weights: FloatArray, damping: float) -> FloatArray:
    normal, right = _normal(linear, weights)
    normal += damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(6)
    return np.asarray(np.linalg.solve(normal, right))


def _normal(linear: _Linear, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    weighted = (weights[:, None, None] * linear.informed).reshape(-1, 6)
    return weighted.T @ linear.jacobian.reshape(-1, 6), weighted.T @ linear.residuals.ravel()


def _cost(linear: _Linear) -> float:
    return float(np.log1p(linear.squared / CAUCHY).sum())


def _moved(pose: Pose, step: FloatArray) -> Pose:
    turn = Pose.from_rotation_vector(step[3:], np.zeros(3))
    return Pose(turn.rotation @ pose.rotation, pose.translation_m + step[:3])


def _motion(pose: Pose, linear: _Linear) -> Motion:
    squared = linear.squared
    noise = max(float(np.median(squared)) / MEDIAN_SQUARED, 1.0) if len(squared) else 1.0
    inliers = squared < INLIER * noise
    weights = np.where(inliers, 1 / (1 + squared / CAUCHY), 0.0)
    return Motion(pose, _sandwich(linear, weights), inliers, noise)


def _sandwich(linear: _Linear, weights: FloatArray) -> FloatArray:
    """Covariance (6, 6) from what the points really scatter, whatever noise was assumed, and from what they share.

    What all points have in common does not show in their residuals: it comes on top. Residuals are smaller than
    errors, since the motion was fitted to them: corrected as HC3 (MacKinnon and White 1985) at the mean leverage.
    """
    informed = weights[:, None, None] * linear.informed
    pulls = (informed * linear.residuals[:, :, None]).sum(axis=1)
    normal = informed.reshape(-1, 6).T @ linear.jacobian.reshape(-1, 6)
    normal -= 2 / CAUCHY * pulls.T @ pulls  # moving a point's prediction changes its weight too
    inverse = np.linalg.pinv(normal, hermitian=True)
    leverage = min(6 / max(int((weights > 0).sum()), 1), 0.5)
    shared = informed.sum(axis=0) * COMMON_NOISE_PX
    scatter = pulls.T @ pulls / (1 - leverage) ** 2 + shared.T @ shared
    return np.asarray(inverse @ scatter @ inverse)
