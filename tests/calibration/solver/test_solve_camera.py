"""One camera alone: the truth is found, what does not fit is dropped, and lenses may see sideways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from roma_device.calibration.boards import Detection
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.pose import Pose
from roma_device.calibration.quality.camera_report import make_camera_report
from roma_device.calibration.solver.observations import SoloView
from roma_device.calibration.solver.solve import solve_camera
from tests.calibration.corners import BOARD, SIZE, rig, views_of


def solo_views(lens: str, seed: int, noise_px: float = 0.1) -> list[SoloView]:
    return [SoloView(view.name, view.left) for view in views_of(rig(lens), seed=seed, noise_px=noise_px)]


@pytest.mark.parametrize("lens", ["plumb_bob", "rational", "fisheye"])
def test_the_lens_is_found_with_its_uncertainty(lens: str) -> None:
    truth, report = rig(lens).left, make_camera_report(solve_camera(solo_views(lens, 1), BOARD, SIZE, lens))
    assert report.solution.camera.fx == pytest.approx(truth.fx, rel=0.003)
    for name in ("fx", "fy", "cx", "cy"):
        assert abs(report.estimates[name].value - getattr(truth, name)) < 1.5 * report.estimates[name].margin
    assert report.solution.rms_px() <= report.left_out_px < 0.25
    assert report.direction_px[0] < 0.5


def test_images_and_corners_that_do_not_fit_are_dropped() -> None:
    views = solo_views("plumb_bob", 2)
    for index in (3, 11):
        seen = views[index].seen
        turned = np.random.default_rng(index).permutation(len(seen.ids))
        views[index] = SoloView(views[index].name, Detection(seen.ids, seen.pixels[turned]))
    seen = views[7].seen
    views[7] = SoloView(views[7].name, replace(seen, pixels=seen.pixels + np.eye(len(seen.ids), 2) * 9))
    solution = solve_camera(views, BOARD, SIZE, "plumb_bob")
    assert {one.name for one in solution.dropped_views} == {views[3].name, views[11].name}
    assert {one.view for one in solution.dropped_corners} == {views[7].name}
    assert solution.camera.fx == pytest.approx(rig().left.fx, rel=0.003)


def test_too_few_images_are_one_sentence() -> None:
    with pytest.raises(CalibrationError, match="5 of 5 images can be used; a calibration needs at least 6"):
        solve_camera(solo_views("plumb_bob", 0)[:5], BOARD, SIZE)


@pytest.mark.slow
def test_corners_beyond_90_degrees_keep_no_fisheye_from_being_found() -> None:
    """OpenCV's fisheye cannot show them; the rest of such a view counts."""
    truth = CameraModel((640, 640), np.array([[190.0, 0, 318], [0, 190, 321], [0, 0, 1]]), np.zeros(4), "equidistant")
    rng, views = np.random.default_rng(5), []
    for number in range(16):
        off = np.deg2rad(rng.uniform(0, 62) if number else 80)
        around = Pose.from_rotation_vector([0, 0, rng.uniform(-np.pi, np.pi)], np.zeros(3))
        middle = around.apply(np.array([[np.sin(off), 0, np.cos(off)]]) * rng.uniform(0.25, 0.4))[0]
        facing = Pose.from_rotation_vector(np.cross([0, 0, 1], middle / np.linalg.norm(middle)), np.zeros(3))
        tilt = Pose.from_rotation_vector(rng.uniform(-0.5, 0.5, 3), np.zeros(3))
        turn = facing.rotation @ tilt.rotation
        points = BOARD.points_m @ turn.T + middle - turn @ BOARD.points_m.mean(axis=0)
        angle, azimuth = np.arctan2(np.hypot(*points.T[:2]), points[:, 2]), np.arctan2(points[:, 1], points[:, 0])
        pixels = [318, 321] + 190 * angle[:, None] * np.column_stack([np.cos(azimuth), np.sin(azimuth)])
        seen = Detection(np.arange(len(pixels)), pixels + rng.normal(0, 0.1, pixels.shape))
        views.append(SoloView(f"{number:02}", seen))
    solution = solve_camera(views, BOARD, truth.size, "fisheye")
    assert solution.camera.fx == pytest.approx(190, rel=0.01)
    assert solution.rms_px() < 0.2
    assert all(one.view == "00" and one.is_behind for one in solution.dropped_corners)
