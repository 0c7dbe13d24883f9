"""Matches that agree and mean nothing: mirror images, single spots; and the valleys of narrow views."""

from __future__ import annotations

import numpy as np
import pytest

from roma_device.app.evaluate.pose.report import pose_error_deg
from roma_device.app.simulation.two_views import TwoViewSpec, simulate_two_views
from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.relative_pose.estimate import _hypotheses, estimate_relative_pose
from roma_device.runtime.relative_pose.fundamental import estimate_fundamental
from roma_device.runtime.relative_pose.motion import TwoViewMotion
from roma_device.runtime.relative_pose.orientation import kept_orientation
from roma_device.runtime.relative_pose.pure_rotation import fit_pure_rotation
from roma_device.runtime.relative_pose.ransac import THRESHOLD_PX
from roma_device.runtime.relative_pose.rays import RayPairs
from roma_device.runtime.relative_pose.refine import refine_motion
from roma_device.runtime.relative_pose.restarts import other_valleys
from roma_device.runtime.relative_pose.result import RelativePose

CAMERA = CameraModel.pinhole((640, 480), 500, 500, 319.5, 239.5)


def estimated(pairs: PointPairs) -> RelativePose:
    return estimate_relative_pose(pairs, CAMERA, CAMERA)


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector))


def mirrored(pairs: PointPairs) -> PointPairs:
    return PointPairs(pairs.a, [639, 0] + [-1, 1] * pairs.b, pairs.certainty, pairs.block)


def test_a_mirror_image_is_lost() -> None:
    """Where things are seen nearly from afar the matches of a mirrored image agree on some motion or other."""
    for seed in range(4):
        views = simulate_two_views(TwoViewSpec(baseline=0.1, outliers=0.0, turn_rad=0.02), seed)
        found = estimated(mirrored(views.pairs))
        assert found.state == "lost", found.reasons
        assert estimate_fundamental(mirrored(views.pairs), CAMERA.size).state == "lost"


def few_that_a_mirror_image_keeps(seed: int) -> PointPairs:
    """Matches of what looks alike from both sides: within a narrow band about the mirror's axis, and wrong ones."""
    rng = np.random.default_rng(seed)
    a = rng.uniform([250, 0], [390, 479], (150, 2))
    b = [639, 0] + [-1, 1] * a + rng.normal(0, 0.5, (150, 2))
    b[::3] = rng.uniform(0, [639, 479], (50, 2))
    return PointPairs(a, b, np.ones(150))


def test_what_looks_alike_in_a_mirror_is_lost_or_degraded() -> None:
    assert all(estimated(few_that_a_mirror_image_keeps(seed)).state != "ok" for seed in range(6))


def test_orientation_of_real_surfaces_is_kept_and_that_of_mirror_images_turned_over() -> None:
    pairs = simulate_two_views(TwoViewSpec(is_plane=True, outliers=0.0), 0).pairs
    swapped = mirrored(pairs)
    assert kept_orientation(pairs.a.T, pairs.a.T) == pytest.approx(1)
    assert kept_orientation(swapped.a.T, swapped.b.T) == pytest.approx(-kept_orientation(pairs.a.T, pairs.b.T))
    scattered = np.random.default_rng(0).permutation(pairs.b)
    assert abs(kept_orientation(pairs.a.T, scattered.T)) < 0.2


def test_points_at_random_depths_before_a_long_baseline_are_not_lost() -> None:
    """Neighbours in one image are none in the other; not as wrong matches are, though nearly so."""
    views = simulate_two_views(TwoViewSpec(baseline=0.316, noise_px=1.0, outliers=0.1), 155)
    found = estimated(views.pairs)
    assert found.state == "degraded" and "inside out" in found.reasons[0]
    assert pose_error_deg(found.b_from_a, views.b_from_a) < 1


@pytest.mark.parametrize("spread_px", [0.3, 1.0])
def test_matches_on_one_spot_are_lost(spread_px: float) -> None:
    """What a network that was never trained makes of all pixels: the middle, and a little of where they are."""
    rng = np.random.default_rng(0)
    a = rng.uniform(0, [639, 479], (4000, 2))
    b = [320, 240] + spread_px * (a - [320, 240]) / 190 + rng.normal(0, 0.2 * spread_px, a.shape)
    found = estimated(PointPairs(a, b, np.ones(len(a)), (a[:, 0] // 64 + 10 * (a[:, 1] // 64)).astype(np.intp)))
    assert found.state == "lost" and "spot" in found.reasons[0]


def narrow(seed: int) -> tuple[RayPairs, Pose]:
    """A narrow view of a slanting wall with little relief: turning and shifting look alike."""
    rng = np.random.default_rng(seed)
    camera = CameraModel.pinhole((640, 480), 3000, 3000, 319.5, 239.5)
    a = rng.uniform(0, [639, 479], (500, 2))
    rays = camera.unproject(a)
    points_m = rays * (8 + rng.random(500) + rays @ [2.0, 1.0, 0.0])[:, None]
    shift_m = rng.normal(0, 0.6, 3)
    turn = Pose.from_rotation_vector(np.cross(_unit(points_m.mean(axis=0) + shift_m), [0, 0, 1]), np.zeros(3))
    pose = turn @ Pose(np.eye(3), shift_m)
    b = camera.project(pose.apply(points_m)) + rng.normal(0, 0.5, a.shape)
    return RayPairs.of(PointPairs(a, b, np.ones(500)), camera, camera), pose


@pytest.mark.parametrize("seed", [0, 2])
def test_from_a_wrong_valley_of_a_narrow_view_the_search_comes_to_the_right_one(seed: int) -> None:
    rays, pose = narrow(seed)
    right = refine_motion(rays, TwoViewMotion(pose.rotation, _unit(pose.translation_m)))
    rotation = fit_pure_rotation(rays, 0.5).rotation
    wrong = refine_motion(rays, TwoViewMotion(rotation, np.array([0.0, 1.0, 0.0])))
    assert wrong.cost_over_scales() > 1.1 * right.cost_over_scales()
    others = other_valleys(rays, wrong, rotation)
    assert any(max(one.motion.angles_deg(right.motion)) < 1 for one in others)


def test_where_the_direction_is_unsure_the_first_motion_that_all_agree_on_is_not_the_last() -> None:
    wide = simulate_two_views(TwoViewSpec(outliers=0.0, baseline=0.3), 0)
    assert len(list(_hypotheses(RayPairs.of(wide.pairs, wide.camera, wide.camera), 0, THRESHOLD_PX))) == 1
    rays, _ = narrow(0)
    found = list(_hypotheses(rays, 0, THRESHOLD_PX))
    assert found[0].inliers.mean() > 0.9 and len(found) == 3
