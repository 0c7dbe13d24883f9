"""Metric motion from points: found among outliers, and with a covariance that holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.odometry.motion_covariance import COMMON_NOISE_PX
from roma_device.runtime.odometry.ransac import ransac_motions
from roma_device.runtime.odometry.sparse_stereo import SeenPoints, project, triangulate
from roma_device.runtime.odometry.stereo_motion import DISPARITY_NOISE_PX, PIXEL_NOISE_PX, extend, refine_stereo_motion
from roma_device.runtime.pose_estimate import composed_covariance, inverse_covariance

RIG = RectifiedRig((640, 400), 480.0, 0.12, 318.0, 203.0, 2.5)


def some_motion(rng: np.random.Generator) -> Pose:
    return Pose.from_rotation_vector(rng.normal(0, 0.05, 3), rng.normal(0, 0.15, 3))


def points_of(rng: np.random.Generator, motion: Pose, count: int, noisy: bool = True) -> SeenPoints:
    """Points 1 to 8 m away, as a rig sees them before and after a motion."""
    pixels = rng.uniform((20, 20), (620, 380), (count, 2))
    true_px = RIG.focal_px * RIG.baseline_m / rng.uniform(1, 8, count) - RIG.disparity_offset_px
    seen = project(motion.apply(triangulate(pixels, true_px, RIG)), RIG)
    if not noisy:
        return SeenPoints(pixels, true_px, seen)
    noise = np.array([PIXEL_NOISE_PX, PIXEL_NOISE_PX, DISPARITY_NOISE_PX])
    seen = seen + rng.normal(0, noise, (count, 3)) + rng.normal(0, COMMON_NOISE_PX, 3)
    return SeenPoints(pixels, true_px + rng.normal(0, DISPARITY_NOISE_PX, count), seen)


def error_of(estimate: Pose, truth: Pose) -> np.ndarray:
    turn = Pose(estimate.rotation @ truth.rotation.T, np.zeros(3))
    return np.concatenate([estimate.translation_m - truth.translation_m, turn.rotation_vector])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_projecting_undoes_triangulating(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels, disparity_px = rng.uniform(0, 400, (9, 2)), rng.uniform(0.5, 90, 9)
    again = project(triangulate(pixels, disparity_px, RIG), RIG)
    assert np.allclose(again, np.column_stack([pixels, disparity_px]), atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_exact_points_give_the_exact_motion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = some_motion(rng)
    found = refine_stereo_motion(points_of(rng, truth, 60, noisy=False), RIG, Pose.identity())
    assert np.abs(error_of(found.second_from_first, truth)).max() < 1e-6


@pytest.mark.parametrize("unknown", [0.0, 0.5, 1.0])
def test_disparities_of_the_second_pair_may_be_missing(unknown: float) -> None:
    rng = np.random.default_rng(5)
    truth = some_motion(rng)
    points = points_of(rng, truth, 120)
    points.seen[: round(unknown * 120), 2] = np.nan
    found = refine_stereo_motion(points, RIG, truth)
    assert np.abs(error_of(found.second_from_first, truth)).max() < 0.01


@pytest.mark.parametrize("outliers", [0.0, 0.3, 0.6])
def test_outliers_are_left_out(outliers: float) -> None:
    rng = np.random.default_rng(6)
    truth = some_motion(rng)
    points = points_of(rng, truth, 200)
    wrong = rng.random(200) < outliers
    points.seen[wrong, :2] += rng.uniform(10, 80, (wrong.sum(), 2)) * rng.choice([-1, 1], (wrong.sum(), 2))
    pose, agree = ransac_motions(points, RIG, Pose.identity(), np.random.default_rng(0)).best
    found = extend(points, RIG, refine_stereo_motion(points.of(agree), RIG, pose))
    assert np.abs(error_of(found.second_from_first, truth)).max() < 0.01
    assert not found.inliers[wrong].any() and found.inliers[~wrong].mean() > 0.95


def test_the_covariance_holds() -> None:
    """The mean of the normalized squared error of 6 numbers over n trials lies in its 95 % chi-square band."""
    rng, squares, trials = np.random.default_rng(7), [], 150
    for _ in range(trials):
        truth = some_motion(rng)
        found = refine_stereo_motion(points_of(rng, truth, 150), RIG, truth)
        error = error_of(found.second_from_first, truth)
        squares.append(error @ np.linalg.solve(found.covariance, error))
    half_width = 1.96 * np.sqrt(2 * 6 / trials)
    assert 6 - half_width < np.mean(squares) < 6 + half_width


def test_covariances_of_composed_and_inverted_poses() -> None:
    """Against the scatter of poses that are disturbed as the covariances say."""
    rng = np.random.default_rng(8)
    first, second = some_motion(rng), some_motion(rng)
    spreads = [np.diag(rng.uniform(1e-4, 4e-4, 6) ** 2) for _ in range(2)]
    errors, inverse_errors = [], []
    for _ in range(4000):
        one, two = (
            Pose(
                Pose.from_rotation_vector(noise[3:], np.zeros(3)).rotation @ pose.rotation,
                pose.translation_m + noise[:3],
            )
            for pose, spread in zip((first, second), spreads, strict=True)
            for noise in [rng.multivariate_normal(np.zeros(6), spread)]
        )
        errors.append(error_of(one @ two, first @ second))
        inverse_errors.append(error_of(one.inverse(), first.inverse()))
    for expected, seen in (
        (composed_covariance(first, spreads[0], second, spreads[1]), np.cov(np.array(errors).T)),
        (inverse_covariance(first, spreads[0]), np.cov(np.array(inverse_errors).T)),
    ):
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        assert np.abs((seen - expected) / scale).max() < 0.1
