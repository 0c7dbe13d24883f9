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


def points_of(
    rng: np.random.Generator, motion: Pose, count: int, noisy: bool = True, rig: RectifiedRig = RIG
) -> SeenPoints:
    """Points 1 to 8 m away, as a rig sees them before and after a motion."""
    pixels = rng.uniform((20, 20), (620, 380), (count, 2))
    true_px = RIG.focal_px * RIG.baseline_m / rng.uniform(1, 8, count) - rig.disparity_offset_px
    seen = project(motion.apply(triangulate(pixels, true_px, rig)), rig)
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


def test_along_the_axis_the_disparity_alone_tells_how_far() -> None:
    """Points that do not move in the image while the rig drives 0.4 m: it takes the disparity's own slope."""
    rng, truth = np.random.default_rng(9), Pose(np.eye(3), np.array([0.0, 0.0, -0.4]))
    middle = np.array([RIG.cx, RIG.cy])
    pixels = middle + rng.uniform(-3, 3, (80, 2))
    true_px = RIG.focal_px * RIG.baseline_m / rng.uniform(1, 8, 80) - RIG.disparity_offset_px
    points = SeenPoints(pixels, true_px, project(truth.apply(triangulate(pixels, true_px, RIG)), RIG))
    found = refine_stereo_motion(points, RIG, Pose.identity())
    assert found.second_from_first.translation_m[2] == pytest.approx(-0.4, abs=1e-3)


def test_points_that_a_guess_puts_behind_the_camera_do_no_harm() -> None:
    """The guess is 0.4 m off, and some points are nearer than that."""
    rng = np.random.default_rng(10)
    truth = Pose.from_rotation_vector(rng.normal(0, 0.02, 3), np.array([0.02, -0.01, 0.05]))
    far = points_of(rng, truth, 200, noisy=False)
    near_px = RIG.focal_px * RIG.baseline_m / rng.uniform(0.3, 0.35, 10) - RIG.disparity_offset_px
    disparity_px = np.concatenate([near_px, far.disparity_px[10:]])
    seen = project(truth.apply(triangulate(far.pixels, disparity_px, RIG)), RIG)
    start = Pose(truth.rotation, truth.translation_m - np.array([0.0, 0.0, 0.4]))
    found = refine_stereo_motion(SeenPoints(far.pixels, disparity_px, seen), RIG, start)
    assert np.abs(error_of(found.second_from_first, truth)).max() < 1e-3


def test_far_points_of_cameras_that_look_inwards_weigh_what_they_should() -> None:
    """With principal points 30 px apart disparities are negative from 2 m on, and one of them is 0."""
    rng, converging = np.random.default_rng(11), RectifiedRig((640, 400), 480.0, 0.12, 318.0, 203.0, 30.0)
    truth = some_motion(rng)
    points = points_of(rng, truth, 400, rig=converging)
    points.disparity_px[np.abs(points.disparity_px).argmin()] = 0.0
    found = refine_stereo_motion(points, converging, truth)
    assert found.noise == pytest.approx(1, rel=0.15)
    assert np.abs(error_of(found.second_from_first, truth)).max() < 0.01


def test_what_is_a_little_off_is_near_and_yet_no_inlier() -> None:
    rng = np.random.default_rng(12)
    truth = Pose.from_rotation_vector([0.02, -0.03, 0.01], np.zeros(3))
    points = points_of(rng, truth, 200)
    off = np.arange(200) < 20
    points.seen[off, 1] = project(truth.apply(triangulate(points.pixels, points.disparity_px, RIG)), RIG)[off, 1]
    points.seen[off, 1] += 6 * PIXEL_NOISE_PX  # rarer than 1 in 1,000, and yet within what may follow the same motion
    found = extend(points, RIG, refine_stereo_motion(points.of(~off), RIG, truth))
    assert not found.inliers[off].any() and found.inliers[~off].mean() > 0.95


def test_errors_that_neighbours_share_do_not_make_the_covariance_too_small() -> None:
    """Four points on one patch say hardly more than one: the covariance has to know."""
    rng, squares, trials = np.random.default_rng(13), [], 60
    for _ in range(trials):
        truth = some_motion(rng)
        alone = points_of(rng, truth, 60)
        pixels = np.repeat(alone.pixels, 4, axis=0) + rng.uniform(-2, 2, (240, 2))
        exact_px = np.repeat(RIG.focal_px * RIG.baseline_m / rng.uniform(1, 8, 60) - RIG.disparity_offset_px, 4)
        seen = project(truth.apply(triangulate(pixels, exact_px, RIG)), RIG)
        shared = np.repeat(rng.normal(0, PIXEL_NOISE_PX, (60, 3)), 4, axis=0)
        found = refine_stereo_motion(SeenPoints(pixels, exact_px, seen + shared), RIG, truth)
        error = error_of(found.second_from_first, truth)
        squares.append(error @ np.linalg.solve(found.covariance, error))
    assert np.mean(squares) < 9  # 6 are right; about 24 where each point counts as independent
