"""Metric stereo motion (Levenberg-Marquardt on reprojection errors, Cauchy loss) of points that both cameras see twice.

A point of the first pair has a place in the left image, which is exact since it says which patch is followed, and a
disparity with noise. In the second pair it is seen at (u, v) in the left image with a disparity d, all with noise, d
perhaps not at all. The motion is the one that predicts (u, v, d) best; each residual is weighted by the noise of both
instants, the first one's carried over by the derivative of the prediction. Sources: residuals as in Geiger et al.,
"StereoScan", IV 2011; weights of Cauchy, as in Triggs et al., "Bundle adjustment", 1999. What comes of the errors:
motion_covariance.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig

from .motion_covariance import CAUCHY, LinearMotion, cauchy_weights, motion_covariance
from .sparse_stereo import SeenPoints, project, triangulate

PIXEL_NOISE_PX, DISPARITY_NOISE_PX = 0.2, 0.2
"""Standard deviations that weigh residuals against each other, and from which the search for the real noise starts."""

LEAST_NOISE = 0.0025
"""Of ``StereoMotion.noise``: 0.01 px, finer than any patch can be placed."""

INLIER = 16.3
"""Squared normalized residual (3 numbers) that good points exceed one time in a thousand."""

MEDIAN_SQUARED = 2.366
"""Median of the squared normalized residual where the noise is as assumed: of chi-square with 3 degrees of freedom."""

NEAR = 64.0
"""Squared normalized residual beyond which a point follows another motion."""

MOST_STEPS, LEAST_GAIN = 20, 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class StereoMotion:
    """Metric motion of the rig with covariance and inliers."""

    second_from_first: Pose
    covariance: FloatArray  # (6, 6) of translation (m), then rotation vector (rad), both in the second left frame
    inliers: Mask  # (N,)
    noise: float  # variance of the residuals over the assumed one


def refine_stereo_motion(points: SeenPoints, rig: RectifiedRig, start: Pose) -> StereoMotion:
    """Robust motion of all points by Levenberg-Marquardt on their reprojection errors, from ``start``.

    First for the assumed noise, then for the one found: what looks good beside 0.2 px is far off beside 0.05 px, and
    patches across an edge of depth are just that.
    """
    pose, linear = _fitted(points, rig, start, 1.0)
    pose, linear = _fitted(points, rig, pose, _noise(linear))
    noise, squared = _noise(linear), linear.squared
    inliers = squared < INLIER * max(noise, 1.0)
    weights = np.where(inliers, cauchy_weights(squared, noise), 0.0)
    return StereoMotion(pose, motion_covariance(linear, weights, noise, points.pixels), inliers, noise)


def extend(points: SeenPoints, rig: RectifiedRig, motion: StereoMotion) -> StereoMotion:
    """Refine the motion again, from all points near it instead of those that it was found from; the rest is left out.

    Left in with small weights, a crowd that moves otherwise would still pull the motion over.
    """
    near = _linearize(points, rig, motion.second_from_first).squared < NEAR * max(motion.noise, 1.0)
    again = refine_stereo_motion(points.of(near), rig, motion.second_from_first)
    inliers = np.zeros(len(points), np.bool_)
    inliers[near] = again.inliers
    return replace(again, inliers=inliers)


def _fitted(points: SeenPoints, rig: RectifiedRig, start: Pose, noise: float) -> tuple[Pose, LinearMotion]:
    pose, damping = start, 1e-4
    linear = _linearize(points, rig, pose)
    cost = _cost(linear, noise)
    for _ in range(MOST_STEPS):
        tried = _moved(pose, _solve(linear, cauchy_weights(linear.squared, noise), damping))
        new = _linearize(points, rig, tried)
        gain, damping = cost - _cost(new, noise), damping * 10
        if gain >= 0:
            pose, linear, cost, damping = tried, new, cost - gain, damping / 100
        if damping > 1e4 or 0 <= gain < LEAST_GAIN * cost:
            break
    return pose, linear


def _linearize(points: SeenPoints, rig: RectifiedRig, pose: Pose) -> LinearMotion:
    assert rig.focal_px is not None and rig.baseline_m is not None
    first_m = triangulate(points.pixels, points.disparity_px, rig)
    rotated_m = first_m @ pose.rotation.T
    second_m = rotated_m + pose.translation_m
    predicted = project(second_m, rig)
    behind = ~np.isfinite(predicted[:, 0])
    by_point = _projection_jacobian(second_m, rig)
    jacobian = np.concatenate([by_point, -by_point @ _cross(rotated_m)], axis=2)
    by_disparity = (
        -(by_point @ rotated_m[:, :, None])[:, :, 0] / (points.disparity_px + rig.disparity_offset_px)[:, None]
    )
    known = np.isfinite(points.seen)
    known[behind] = False
    residuals = np.where(known, points.seen - predicted, 0.0)
    noise = np.array([PIXEL_NOISE_PX, PIXEL_NOISE_PX, DISPARITY_NOISE_PX])
    information = _information(known / noise**2, by_disparity * DISPARITY_NOISE_PX)
    return LinearMotion(residuals, np.where(behind[:, None, None], 0.0, jacobian), information)


def _projection_jacobian(points_m: FloatArray, rig: RectifiedRig) -> FloatArray:
    """Jacobian (N, 3, 3) of ``project`` by the point."""
    assert rig.focal_px is not None and rig.baseline_m is not None
    z = np.maximum(points_m[:, 2], 1e-3)
    by_point = np.zeros((len(z), 3, 3))
    by_point[:, 0, 0] = by_point[:, 1, 1] = rig.focal_px / z
    by_point[:, 0, 2], by_point[:, 1, 2] = (-rig.focal_px * points_m[:, axis] / z**2 for axis in (0, 1))
    by_point[:, 2, 2] = -rig.focal_px * rig.baseline_m / z**2
    return by_point


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


def _solve(linear: LinearMotion, weights: FloatArray, damping: float) -> FloatArray:
    normal, right = _normal(linear, weights)
    normal += damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(6)
    return np.asarray(np.linalg.solve(normal, right))


def _normal(linear: LinearMotion, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    weighted = (weights[:, None, None] * linear.informed).reshape(-1, 6)
    return weighted.T @ linear.jacobian.reshape(-1, 6), weighted.T @ linear.residuals.ravel()


def _cost(linear: LinearMotion, noise: float) -> float:
    return float(np.log1p(linear.squared / (CAUCHY * noise)).sum())


def _noise(linear: LinearMotion) -> float:
    squared = linear.squared
    return max(float(np.median(squared)) / MEDIAN_SQUARED, LEAST_NOISE) if len(squared) else 1.0


def _moved(pose: Pose, step: FloatArray) -> Pose:
    rotation = Pose.from_rotation_vector(step[3:], np.zeros(3))
    return Pose(rotation.rotation @ pose.rotation, pose.translation_m + step[:3])
