"""Real sets: at least as good as OpenCV's solution on the same pairs, and near the published references."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.calibration_sets import BOARDS, common_rms_px, difference_px, opencv_solution, single_solution
from roma_device.app.calibrate.observations import pair_observations
from roma_device.calibration.boards import parse_board
from roma_device.calibration.quality.epipolar import pair_errors, rms
from roma_device.calibration.quality.report import QualityReport, make_report
from roma_device.calibration.solver.solve import solve_rig


def report_of(shared_data: Path, name: str) -> QualityReport:
    entries = json.loads((shared_data / "calibration.json").read_text())["sets"]
    entry = next(entry for entry in entries if entry["id"] == name)
    board = parse_board(BOARDS[name])
    sightings = pair_observations(str(shared_data / entry["dir"]), board)
    return make_report(solve_rig(sightings.views, board, sightings.size))


def assert_no_worse_than_opencv(report: QualityReport) -> None:
    theirs = opencv_solution(report.solution, report.solution.board)
    assert not isinstance(theirs, str)
    assert common_rms_px(report.solution) <= theirs[1] + 1e-3
    rows = rms([one.vertical_px for one in pair_errors(theirs[0], report.solution.views, report.solution.board)])
    assert rms([one.vertical_px for one in report.fitted]) <= rows + 1e-3


def test_the_left_and_right_images_of_opencv(shared_data: Path) -> None:
    report = report_of(shared_data, "opencv_leftright")
    assert len(report.solution.views) == 14
    assert report.solution.rms_px() < 0.2187
    assert report.calibration.left.fx == pytest.approx(535.9, abs=4)
    assert report.calibration.baseline_m == pytest.approx(0.0832, abs=5e-4)
    assert_no_worse_than_opencv(report)


@pytest.mark.slow
def test_a_bumblebee_whose_baseline_is_published(shared_data: Path) -> None:
    report = report_of(shared_data, "boofcv_bumblebee2_chess")
    assert report.calibration.left.fx == pytest.approx(524.6, abs=2)
    assert report.calibration.baseline_m == pytest.approx(0.12004, rel=0.003)
    assert_no_worse_than_opencv(report)


@pytest.mark.slow
def test_a_bumblebee_seen_with_a_grid_of_squares(shared_data: Path) -> None:
    report = report_of(shared_data, "boofcv_bumblebee2_square")
    assert len(report.solution.views) == 13
    assert report.calibration.left.fx == pytest.approx(526.7, abs=4)  # published: 528.9 and, with a chessboard, 524.6
    assert report.calibration.baseline_m == pytest.approx(0.11977, rel=0.006)  # published: 119.51 and 120.04 mm
    assert_no_worse_than_opencv(report)


@pytest.mark.slow
def test_a_rig_of_web_cameras(shared_data: Path) -> None:
    report = report_of(shared_data, "sourishg_stereo")
    assert report.solution.rms_px() < 0.2516
    assert_no_worse_than_opencv(report)


@pytest.mark.slow
def test_a_fisheye_rig_on_which_opencv_fails(shared_data: Path) -> None:
    report = report_of(shared_data, "sourishg_fisheye")
    assert report.solution.model == "equidistant"
    assert len(report.solution.views) >= 20
    assert report.solution.rms_px() < 0.4
    assert float(np.median(np.abs(np.concatenate([one.vertical_px for one in report.held_out])))) < 0.3


@pytest.mark.slow
def test_a_single_fisheye_that_sees_sideways(shared_data: Path) -> None:
    entries = json.loads((shared_data / "calibration.json").read_text())["sets"]
    entry = next(entry for entry in entries if entry["id"] == "boofcv_fisheye_mono")
    solution = single_solution(entry, shared_data)
    assert len(solution.views) == 26
    assert solution.rms_px() < 0.25
    assert solution.camera.cx == pytest.approx(319.18, abs=1)
    assert solution.camera.cy == pytest.approx(319.72, abs=1)
    reference = shared_data / entry["dir"] / entry["reference"]
    assert difference_px(solution, reference, 80).max() < 2
