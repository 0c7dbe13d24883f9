"""The solver finds rigs whose truth is known, and says what does not fit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from roma_device.calibration.boards import Detection
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.quality.report import make_report
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.lens import intrinsics_of, project
from roma_device.calibration.solver.observations import PairView
from roma_device.calibration.solver.solve import StereoSolution, solve_rig
from tests.calibration.corners import BOARD, SIZE, board_poses, rig, shifted, views_of, with_false_corners

LENSES = ["plumb_bob", "rational", "fisheye"]


def rotation_error_deg(solution: StereoSolution, truth: StereoCalibration) -> float:
    turn = cv2.Rodrigues(solution.right_from_left.rotation @ truth.right_from_left.rotation.T)[0]
    return float(np.rad2deg(np.linalg.norm(turn)))


@pytest.mark.parametrize("lens", LENSES)
def test_slopes_of_the_projection_are_those_of_small_steps(lens: str) -> None:
    camera = rig(lens).left
    points = np.random.default_rng(0).uniform([-0.5, -0.3, 0.6], [0.5, 0.3, 2], (20, 3))
    vector = intrinsics_of(camera)
    at = project(camera.model, vector, points)
    np.testing.assert_allclose(at.pixels, camera.project(points), atol=1e-9)
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 1e-6
        change = (project(camera.model, vector, points + step).pixels - at.pixels) / 1e-6
        np.testing.assert_allclose(at.by_point[:, :, axis], change, rtol=1e-3, atol=1e-2)
    for index in range(len(vector)):
        moved = vector.copy()
        moved[index] += 1e-5
        change = (project(camera.model, moved, points).pixels - at.pixels) / 1e-5
        np.testing.assert_allclose(at.by_intrinsics[:, :, index], change, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("lens", LENSES)
def test_corners_without_noise_give_the_true_rig(lens: str) -> None:
    truth = rig(lens)
    solution = solve_rig(views_of(truth, noise_px=0.0), BOARD, SIZE, lens)
    assert solution.rms_px() < 1e-3
    assert solution.cameras[0].fx == pytest.approx(truth.left.fx, rel=1e-4)
    assert solution.cameras[1].cx == pytest.approx(truth.right.cx, abs=0.05)
    assert rotation_error_deg(solution, truth) < 1e-3
    np.testing.assert_allclose(solution.right_from_left.translation_m, truth.right_from_left.translation_m, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("lens", LENSES)
def test_truth_lies_in_the_stated_intervals(lens: str) -> None:
    inside, total = 0, 0
    for seed in range(3):
        truth = rig(lens, seed + 1)
        report = make_report(solve_rig(views_of(truth, seed=seed, noise_px=0.2), BOARD, SIZE, lens))
        for name, value in (
            ("left_fx", truth.left.fx),
            ("right_fy", truth.right.fy),
            ("left_cx", truth.left.cx),
            ("baseline", 1000 * truth.baseline_m),
            ("yaw", float(np.rad2deg(truth.right_from_left.rotation_vector[1]))),
        ):
            estimate = report.estimates[name]
            inside += abs(estimate.value - value) <= estimate.margin
            total += 1
            assert abs(estimate.value - value) <= 3 * estimate.margin, name
    assert inside >= 0.8 * total


def test_a_fifth_of_false_views_is_found_and_named() -> None:
    truth = rig()
    views = views_of(truth, noise_px=0.05)
    views[3], views[11] = shifted(views[3], (4, 3)), shifted(views[11], (-7, 2))
    views[6], views[15] = with_false_corners(views[6], 0.5, 1), with_false_corners(views[15], 0.5, 2)
    solution = solve_rig(views, BOARD, SIZE, "plumb_bob")
    assert {one.name for one in solution.dropped_views} == {"03", "06", "11", "15"}
    assert all(one.reason for one in solution.dropped_views)
    assert solution.cameras[0].fx == pytest.approx(truth.left.fx, rel=3e-3)
    assert rotation_error_deg(solution, truth) < 0.05


def test_single_false_corners_are_dropped_and_their_view_kept() -> None:
    views = views_of(rig())
    views[5] = with_false_corners(views[5], 0.06, 1)
    solution = solve_rig(views, BOARD, SIZE, "plumb_bob")
    assert not solution.dropped_views
    assert {one.view for one in solution.dropped_corners} == {"05"}
    assert all(one.side == "left" and one.error_px > 2 for one in solution.dropped_corners)


def test_the_lens_model_is_chosen_by_what_fits() -> None:
    wide = board_poses(80, 0, spread=1.0)
    assert solve_rig(views_of(rig("plumb_bob")), BOARD, SIZE).model == "plumb_bob"
    assert solve_rig(views_of(rig("fisheye"), noise_px=0.05, poses=wide), BOARD, SIZE).model != "plumb_bob"


def test_swapped_cameras_are_named() -> None:
    views = [PairView(view.name, view.right, view.left) for view in views_of(rig())]
    with pytest.raises(CalibrationError, match="swapped"):
        make_report(solve_rig(views, BOARD, SIZE, "plumb_bob"))


def test_too_few_pairs_are_refused_in_one_sentence() -> None:
    with pytest.raises(CalibrationError, match="3 of 3 pairs can be used; a calibration needs at least 6"):
        solve_rig(views_of(rig(), 3), BOARD, SIZE)


def test_pairs_in_a_wrong_order_are_refused() -> None:
    views = views_of(rig())
    mixed = [
        PairView(one.name, one.left, other.right) for one, other in zip(views, [*views[7:], *views[:7]], strict=True)
    ]
    with pytest.raises(CalibrationError, match="agree"):
        solve_rig(mixed, BOARD, SIZE, "plumb_bob")


def test_one_mirrored_camera_is_refused_or_told_to_be_redone() -> None:
    views = [
        PairView(view.name, view.left, type(view.right)(view.right.ids, (SIZE[0] - 1, 0) + view.right.pixels * (-1, 1)))
        for view in views_of(rig())
    ]
    with pytest.raises(CalibrationError):
        make_report(solve_rig(views, BOARD, SIZE, "plumb_bob"))


def test_a_wrong_square_size_shows_against_the_known_baseline() -> None:
    truth = rig()
    small = views_of(truth)  # of squares of 30 mm, taken for 24 mm
    from roma_device.calibration.boards import parse_board

    report = make_report(solve_rig(small, parse_board("chessboard:9x6:24mm"), SIZE, "plumb_bob"), truth.baseline_m)
    assert report.verdict == "redo"
    assert any("1.25" in finding.todo for finding in report.findings)


def test_a_board_that_was_never_tilted_is_not_called_good() -> None:
    views = views_of(rig(), poses=board_poses(80, 3, most_tilt=0.02))
    report = make_report(solve_rig(views, BOARD, SIZE, "plumb_bob"))
    assert report.verdict != "good"
    assert any("tilted" in finding.what for finding in report.findings)


def test_the_depth_error_stated_covers_the_true_one() -> None:
    truth = rig()
    report = make_report(solve_rig(views_of(truth, noise_px=0.2), BOARD, SIZE, "plumb_bob"))
    for one in report.depth:
        ray = np.array([[0.05, 0.02, 1.0]]) * one.distance_m
        left, right = truth.left.project(ray), truth.right.project(truth.right_from_left.apply(ray))
        found = report.calibration
        from roma_device.calibration.quality.depth_error import triangulated_depth_m

        rays = found.left.unproject(left), found.right.unproject(right) @ found.right_from_left.rotation
        depth_m = triangulated_depth_m(*rays, found.right_from_left)[0]
        assert 100 * abs(depth_m / one.distance_m - 1) < 2 * one.percent
        assert one.cm == pytest.approx(one.percent * one.distance_m)


def test_what_disturbs_a_whole_view_counts_in_the_stated_intervals() -> None:
    """A board that is bent, or moved while it was seen: the corners of a view err together, and residuals are small."""
    truth, squared = rig(), []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        views = [bent(view, rng.normal(0, 0.4, (2, 3, 2))) for view in views_of(truth, 14, seed, noise_px=0.02)]
        report = make_report(solve_rig(views, BOARD, SIZE, "plumb_bob"))
        for name, value in (("left_fx", truth.left.fx), ("right_cx", truth.right.cx), ("left_cy", truth.left.cy)):
            squared.append(((report.estimates[name].value - value) / report.estimates[name].margin) ** 2)
    assert np.mean(squared) < 1  # margins of two sigmas: 0.25 is right


def bent(view: PairView, slopes: np.ndarray) -> PairView:
    """Corners moved by a smooth field of some tenths of a pixel, of its own in each image."""
    sides = []
    for seen, (constant, across, down) in zip(view.sides(), slopes, strict=True):
        x, y = 2 * seen.pixels[:, :1] / SIZE[0] - 1, 2 * seen.pixels[:, 1:] / SIZE[1] - 1
        moved = constant * x * y + across * x**2 + down * y**2
        sides.append(Detection(seen.ids, seen.pixels + moved))
    return PairView(view.name, *sides)


def test_the_baseline_is_known_no_better_than_the_board() -> None:
    """A good ruler is right to 0.1 mm in 300; corners without noise do not change that."""
    truth = rig()
    report = make_report(solve_rig(views_of(truth, noise_px=0.0), BOARD, SIZE, "plumb_bob"))
    assert report.estimates["baseline"].margin > 1.9 * 1000 * truth.baseline_m / 3000


def test_a_view_that_is_off_as_a_whole_is_left_out() -> None:
    """Each corner by half a pixel, up and down in turns: less than would make any one of them false."""
    views = views_of(rig(), noise_px=0.03)
    left = views[4].left
    uneven = left.pixels + np.where(left.ids % 2, 0.5, -0.5)[:, None] * (0, 1)
    views[4] = PairView("04", Detection(left.ids, uneven), views[4].right)
    solution = solve_rig(views, BOARD, SIZE, "plumb_bob")
    assert [one.name for one in solution.dropped_views] == ["04"]
    assert "far more than in the other views" in solution.dropped_views[0].reason


def test_corners_that_are_dropped_take_no_part() -> None:
    """They are a hundred times as far off as the others: with them no residual would stay small."""
    views = views_of(rig(), noise_px=0.05)
    views[5] = with_false_corners(views[5], 0.06, 1)
    solution = solve_rig(views, BOARD, SIZE, "plumb_bob")
    false = {one.corner for one in solution.dropped_corners}
    left = next(view.left for view in solution.views if view.name == "05")
    assert false and not false & set(left.ids.tolist()) and solution.rms_px() < 0.08
