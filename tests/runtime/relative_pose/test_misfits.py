"""Images that the intrinsics do not describe: bent to a cylinder, or with a distortion that was left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from roma_device.app.evaluate.pose.report import pose_error_deg
from roma_device.app.simulation.two_views import TwoViews, TwoViewSpec, simulate_two_views
from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.camera import CameraModel
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose
from roma_device.runtime.relative_pose.result import RelativePose

INTRINSICS = "the intrinsics do not describe these images"


def seen(seed: int) -> TwoViews:
    return simulate_two_views(TwoViewSpec(baseline=0.2, noise_px=0.3, outliers=0.15), seed)


def estimated(views: TwoViews, pairs: PointPairs) -> RelativePose:
    return estimate_relative_pose(pairs, views.camera, views.camera)


def bent(points: FloatArray, camera: CameraModel, focal: float) -> FloatArray:
    """Pixels (N, 2) of a panorama on a cylinder with ``focal`` of the image's width."""
    focal_px, (x, y) = focal * camera.size.width, (points - [camera.cx, camera.cy]).T
    columns = focal_px * np.arctan(x / focal_px)
    return np.stack((camera.cx + columns, camera.cy + y * np.cos(columns / focal_px)), axis=1)


@pytest.mark.parametrize("focal", [0.5, 0.8, 1.2])
@pytest.mark.parametrize("seed", range(3))
def test_a_panorama_is_never_ok_and_wrong(focal: float, seed: int) -> None:
    views = seen(seed)
    assert estimated(views, views.pairs).state == "ok"
    found = estimated(views, replace(views.pairs, b=bent(views.pairs.b, views.camera, focal)))
    assert found.state != "ok"


def test_a_distortion_that_was_left_out_is_told() -> None:
    views = seen(0)
    camera = views.camera
    lens = replace(camera, distortion=np.array([-0.3, 0.1, 0.0, 0.0, 0.0]))
    distorted = replace(views.pairs, b=lens.project(camera.unproject(views.pairs.b)))
    found = estimated(views, distorted)
    assert found.state == "degraded" and any(INTRINSICS in reason for reason in found.reasons)
    assert estimate_relative_pose(distorted, camera, lens).state == "ok"


def test_a_thing_that_moves_by_itself_is_no_matter_of_the_intrinsics() -> None:
    views = seen(0)
    b, width = views.pairs.b.copy(), views.camera.size.width
    moving = np.hypot(*(views.pairs.a - [width / 3, views.camera.size.height / 2]).T) < width / 6
    assert moving.mean() > 0.1
    b[moving] += [3.0, 8.0]
    found = estimated(views, replace(views.pairs, b=b))
    assert found.state == "ok" and pose_error_deg(found.b_from_a, views.b_from_a) < 1


def test_walls_of_equal_windows_matched_one_window_off_are_no_matter_of_the_intrinsics() -> None:
    """Wrong matches that are wrong alike, by far more than a bent image makes of right ones."""
    views = seen(1)
    b = views.pairs.b.copy()
    b[views.pairs.a[:, 0] % 200 < 50] += [60.0, 0.0]
    found = estimated(views, replace(views.pairs, b=b))
    assert found.state == "ok" and pose_error_deg(found.b_from_a, views.b_from_a) < 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_panorama_is_told_by_the_matches_of_a_network_too(seed: int) -> None:
    """Their errors are alike in each area of 64 px, by which a right pair is not blamed."""
    views = simulate_two_views(TwoViewSpec(points=3000, baseline=0.2, noise_px=0.2, outliers=0.05), seed)
    a, b = views.pairs.a, views.pairs.b
    block = (a[:, 0] // 64 + 10 * (a[:, 1] // 64)).astype(np.intp)
    common_px = np.random.default_rng(0).normal(0, 0.2, (block.max() + 1, 2))[block]
    pairs = replace(views.pairs, b=b + common_px, block=block, confirmed=0.97)
    assert estimated(views, pairs).state == "ok"
    found = estimated(views, replace(pairs, b=bent(pairs.b, views.camera, 1.2)))
    assert found.state == "degraded" and any(INTRINSICS in reason for reason in found.reasons)
