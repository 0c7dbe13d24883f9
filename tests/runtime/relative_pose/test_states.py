"""States that can be believed: closed loops for what explains matches in two ways, or not at all."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from roma_device.app.evaluate.pose.report import pose_error_deg
from roma_device.app.simulation.two_views import TwoViewSpec, simulate_two_views
from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose
from roma_device.runtime.relative_pose.finalize import DEFAULT_LIMITS, PoseLimits, finalize
from roma_device.runtime.relative_pose.fundamental import estimate_fundamental
from roma_device.runtime.relative_pose.motion import TwoViewMotion
from roma_device.runtime.relative_pose.rays import RayPairs
from roma_device.runtime.relative_pose.refine import refine_motion
from roma_device.runtime.relative_pose.result import RelativePose

CAMERA = CameraModel.pinhole((640, 480), 500, 500, 319.5, 239.5)


def estimated(pairs: PointPairs) -> RelativePose:
    return estimate_relative_pose(pairs, CAMERA, CAMERA)


def rubbish(seed: int, knots: int, near: float) -> PointPairs:
    """A dense matcher that knows nothing: a smooth field of thousands of matches, in areas of 64 px."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(0, [639, 479], (4000, 2))
    field = cv2.resize(rng.uniform(0, 1, (knots * 3 // 4, knots, 2)), (640, 480), interpolation=cv2.INTER_CUBIC)
    b = near * a + (1 - near) * field[a[:, 1].astype(int), a[:, 0].astype(int)] * [639, 479]
    seen = (b >= 0).all(axis=1) & (b < [639, 479]).all(axis=1)
    block = (a[:, 1] // 64).astype(np.intp) * 10 + (a[:, 0] // 64).astype(np.intp)
    return PointPairs(
        a[seen], b[seen] + rng.normal(0, 0.5, (int(seen.sum()), 2)), np.ones(int(seen.sum())), block[seen]
    )


@pytest.mark.parametrize(("knots", "near"), [(4, 0.0), (6, 0.0), (8, 0.8), (8, 0.6)])
def test_a_dense_matcher_that_knows_nothing_is_lost(knots: int, near: float) -> None:
    for seed in range(2):
        found = estimated(rubbish(seed, knots, near))
        assert found.state == "lost", found.reasons


def facade(seed: int, off_plane: float, aside: float = 0.0) -> tuple[PointPairs, Pose]:
    """A wall with little in front of it; ``aside`` of its windows are taken for the next ones."""
    rng = np.random.default_rng(seed)
    b_from_a = Pose.from_rotation_vector(rng.normal(0, 0.3, 3), _unit(rng.normal(0, 1, 3)) * 1.4)
    a = rng.uniform(0, [639, 479], (600, 2))
    rays = CAMERA.unproject(a)
    normal = np.array([*rng.normal(0, 0.3, 2), 1.0])
    depth_m = 4 / (rays @ normal)
    stands_out = rng.random(600) < off_plane
    depth_m[stands_out] *= rng.uniform(0.6, 0.95, int(stands_out.sum()))
    points_m = rays * depth_m[:, None]
    points_m[~stands_out & (rng.random(600) < aside)] += np.array([0.6, 0, -0.6 * normal[0]])
    moved_m = b_from_a.apply(points_m)
    b = CAMERA.project(moved_m) + rng.normal(0, 0.5, (600, 2))
    wrong = rng.random(600) < 0.05
    b[wrong] = rng.uniform(0, [639, 479], (int(wrong.sum()), 2))
    seen = (moved_m[:, 2] > 0.1) & (depth_m > 0)
    return PointPairs(a[seen] + rng.normal(0, 0.5, (int(seen.sum()), 2)), b[seen], np.ones(int(seen.sum()))), b_from_a


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector))


@pytest.mark.parametrize(("off_plane", "aside"), [(0.0, 0.0), (0.03, 0.0), (0.1, 0.0), (0.15, 0.3)])
def test_a_facade_is_right_or_degraded(off_plane: float, aside: float) -> None:
    """The other explanation stands among the alternatives where the first is the wrong one."""
    named = []
    for seed in range(15):
        pairs, truth = facade(seed, off_plane, aside)
        found = estimated(pairs)
        assert found.state != "ok" or pose_error_deg(found.b_from_a, truth) < 10, seed
        poses = [found.b_from_a, *found.alternatives]
        named.append(min(pose_error_deg(pose, truth) for pose in poses) < 10)
    assert np.mean(named) > 0.75


@pytest.mark.parametrize("baseline", [0.001, 0.004, 0.01])
def test_nearly_a_pure_rotation_is_right_or_degraded(baseline: float) -> None:
    for seed in range(8):
        views = simulate_two_views(TwoViewSpec(baseline=baseline), seed)
        found = estimated(views.pairs)
        assert found.state != "ok" or pose_error_deg(found.b_from_a, views.b_from_a) < 10, seed


def test_few_areas_of_a_small_overlap_are_real() -> None:
    """Nearly all of their matches agree, which no chance does."""
    views = simulate_two_views(TwoViewSpec(points=400, outliers=0.05, noise_px=0.3, baseline=0.2), 0)
    block = (views.pairs.a[:, 1] // 160).astype(np.intp) * 3 + (views.pairs.a[:, 0] // 214).astype(np.intp)
    pairs = PointPairs(views.pairs.a, views.pairs.b, views.pairs.certainty, block)
    assert estimated(pairs).state != "lost"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (PoseLimits(rotation_deg=0.0), "the rotation is known to"),
        (PoseLimits(direction_deg=0.0), "the direction is known to"),
        (PoseLimits(inlier_ratio=1.01), "of the matches agree"),
        (PoseLimits(in_front=1.01), "behind a camera"),
    ],
)
def test_every_limit_is_heeded(limits: PoseLimits, said: str) -> None:
    views = simulate_two_views(TwoViewSpec(), 3)
    assert estimate_relative_pose(views.pairs, views.camera, views.camera).state == "ok"
    found = estimate_relative_pose(views.pairs, views.camera, views.camera, limits=limits)
    assert found.state == "degraded" and len(found.reasons) == 1 and said in found.reasons[0]


@pytest.mark.parametrize(("confirmed", "state"), [(None, "ok"), (0.95, "ok"), (0.4, "degraded")])
def test_what_the_images_do_not_bear_out_is_degraded(confirmed: float | None, state: str) -> None:
    """However many matches agree: those of a network that guesses are off alike."""
    views = simulate_two_views(TwoViewSpec(), 3)
    pairs = replace(views.pairs, confirmed=confirmed)
    for found in (estimated(pairs), estimate_fundamental(pairs, CAMERA.size)):
        assert found.state == state and any("40 %" in reason for reason in found.reasons) == (state == "degraded")


def test_right_matches_that_agree_on_little_are_degraded() -> None:
    """What a wrong lens model leaves of matches that the images bear out, and what a network makes of a thumbnail."""
    views = simulate_two_views(TwoViewSpec(outliers=0.4), 1)
    assert estimated(views.pairs).state == "ok"
    found = estimated(replace(views.pairs, confirmed=0.97))
    assert found.state == "degraded" and "intrinsics may be wrong" in found.reasons[-1]


def test_a_thumbnail_shows_too_little_to_a_network() -> None:
    views = simulate_two_views(TwoViewSpec(outliers=0.0, noise_px=0.3), 3)
    small, block = CAMERA.scaled(Size(64, 48)), np.arange(len(views.pairs)) // 4
    pairs = replace(views.pairs, b=(views.pairs.b + 0.5) / 10 - 0.5)
    assert estimate_relative_pose(pairs, CAMERA, small).state == "ok"
    found = estimate_relative_pose(replace(pairs, block=block), CAMERA, small)
    assert found.state == "degraded" and "64x48" in found.reasons[-1]


def test_matches_that_may_not_count_do_not() -> None:
    """However well they fit: off a plane that explains nearly all, they may be wrong matches that fit by chance."""
    views = simulate_two_views(TwoViewSpec(outliers=0.0), 6)
    rays = RayPairs.of(views.pairs, views.camera, views.camera)
    truth = views.b_from_a.translation_m / np.linalg.norm(views.b_from_a.translation_m)
    best = refine_motion(rays, TwoViewMotion(views.b_from_a.rotation, truth))
    kept = np.arange(len(rays)) % 3 > 0
    found = finalize(rays, best, kept, [], views.camera.size, DEFAULT_LIMITS)
    assert found.state == "ok" and not found.inliers[~kept].any() and found.inliers[kept].mean() > 0.95


@pytest.mark.parametrize("numbers", [[-4, 90, 7], [10**12, 5, 0]])
def test_it_does_not_matter_how_areas_are_numbered(numbers: list[int]) -> None:
    views = simulate_two_views(TwoViewSpec(), 2)
    area = (views.pairs.a[:, 0] // 40).astype(np.intp)
    first = estimated(replace(views.pairs, block=area))
    second = estimated(replace(views.pairs, block=np.array([*numbers, *range(100, 200)])[area]))
    assert first.covariance is not None and second.covariance is not None
    np.testing.assert_allclose(first.covariance, second.covariance, rtol=1e-9)
