"""Knocks of a known size are found: roll and pitch in the rows, yaw by what has a known size."""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np
import pytest

from roma_device.app.cameras.simulated import SimulatedCamera
from roma_device.app.simulation.worlds.rigs import bumped, virtual_rig
from roma_device.calibration.boards import parse_board
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.health.report import RowHealth, corrected, depth_health, row_health
from roma_device.calibration.health.row_matches import RowMatches, match_rows
from roma_device.calibration.quality.epipolar import calibrated_scale
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.observations import PairView
from roma_device.runtime.grey import grey
from tests.calibration.corners import BOARD, rig, views_of


def room_health(bump: str, calibration: StereoCalibration | None = None) -> RowHealth:
    """From two frames of the room, seen by a bumped rig whose calibration does not know."""
    with SimulatedCamera.from_spec("room?seed=1&fps=2" + (f"&bump={bump}" if bump else "")) as camera:
        rectification = Rectification.from_calibration(calibration or camera.calibration)
        maps = rectification.maps(rectification.rig.size)
        assert maps is not None
        parts = []
        for frame in islice(camera.frames(), 2):
            images = grey(frame.left.image), grey(frame.right.image)
            parts.append(match_rows(*(cv2.remap(image, *each, 1) for image, each in zip(images, maps, strict=True))))
    return row_health(RowMatches.joined(parts), rectification.rig)


def test_an_untouched_rig_has_even_rows() -> None:
    health = room_health("")
    assert health.median_px < 0.1
    assert not health.roll.is_significant
    assert not health.pitch.is_significant


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "angle_deg"), [("roll", 0.1), ("pitch", 0.1), ("roll", -0.3)])
def test_a_turn_is_found_with_its_sign_and_can_be_corrected(axis: str, angle_deg: float) -> None:
    health = room_health(f"{axis}:{angle_deg}")
    found, other = (health.roll, health.pitch) if axis == "roll" else (health.pitch, health.roll)
    assert found.degrees == pytest.approx(angle_deg, abs=0.012)
    assert found.is_significant
    assert abs(other.degrees) < 0.015
    mended = corrected(virtual_rig((640, 400)), health.roll.degrees, health.pitch.degrees, 0.0)
    again = room_health(f"{axis}:{angle_deg}", mended)
    assert again.median_px < 0.1
    assert not again.roll.is_significant
    assert not again.pitch.is_significant


@pytest.mark.slow
def test_yaw_hides_in_the_rows_and_shows_in_the_size_of_a_board() -> None:
    health = room_health("yaw:0.1")
    assert health.median_px < 0.15
    true, known = bumped(rig(), "yaw", 0.1), rig()
    rectification = Rectification.from_calibration(known)
    board = parse_board(BOARD.spec)
    views: list[PairView] = views_of(true, 8, noise_px=0.05)
    depth_m, ratio, column = (
        np.array(v) for v in zip(*(calibrated_scale(rectification, v, board) for v in views), strict=True)
    )
    found = depth_health("board", rectification.rig, depth_m, depth_m / ratio, column)
    assert found.yaw.degrees == pytest.approx(0.1, abs=0.02)
    assert found.yaw.is_significant
    assert found.error_percent > 0.3
    mended = corrected(known, 0.0, 0.0, found.yaw.degrees)
    scales = [calibrated_scale(Rectification.from_calibration(mended), view, board)[1] for view in views]
    assert np.median(scales) == pytest.approx(1, abs=0.002)


def test_matches_of_a_disparity_map_are_as_good() -> None:
    with SimulatedCamera.from_spec("room?seed=2&bump=pitch:0.1") as camera:
        frame = next(iter(camera.frames()))
        rectification = Rectification.from_calibration(camera.calibration)
    maps, rig_ = rectification.maps(frame.size), rectification.rig
    assert maps is not None
    assert frame.truth is not None
    assert frame.truth.depth_m is not None
    disparity = (rig_.focal_px or 1) * (rig_.baseline_m or 1) / frame.truth.depth_m
    images = [cv2.remap(grey(one.image), *m, 1) for one, m in zip((frame.left, frame.right), maps, strict=True)]
    matches = match_rows(images[0], images[1], disparity)
    assert len(matches) > 100
    assert row_health(matches, rig_).pitch.degrees == pytest.approx(0.1, abs=0.015)


def test_too_few_points_are_one_sentence() -> None:
    flat = np.full((200, 300), 128, np.uint8)
    rectification = Rectification.from_calibration(virtual_rig((300, 200)))
    with pytest.raises(CalibrationError, match="0 points are matched"):
        row_health(match_rows(flat, flat), rectification.rig)
