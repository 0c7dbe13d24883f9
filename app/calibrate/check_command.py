"""``roma-device calibrate check``: epipolar error and depth error of live pairs: is the rig still calibrated?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

import click
import cv2
import numpy as np

from roma_device.app.cameras import CameraError, open_camera
from roma_device.app.model_store import find_model
from roma_device.calibration.arrays import FloatArray, GreyImage, Size
from roma_device.calibration.boards import parse_board
from roma_device.calibration.boards.board import Board
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.guided.detection_gate import picture_problem, see_pair
from roma_device.calibration.health.report import DepthHealth, corrected, depth_health, row_health
from roma_device.calibration.health.row_matches import RowMatches, match_rows
from roma_device.calibration.quality.epipolar import calibrated_scale
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.observations import PairView
from roma_device.calibration.store import CalibrationStore
from roma_device.runtime.card import DEFAULT_SIZE
from roma_device.runtime.grey import grey
from roma_device.runtime.types import StereoFrame

from .health_report import DEFAULT_TOLERANCE_PX, HealthReport, judge_health

CENTRE = 0.2
"""Share of the image, around its middle, in which a wall at --distance-m is looked for."""

LEAST_WALL_POINTS = 8


@dataclass(frozen=True, slots=True)
class CheckChoice:
    """What to check, and with what."""

    camera: str | None
    images: str | None
    calibration: Path | None
    board_text: str | None
    distance_m: float | None
    frames: int


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """Row matches and known distances of all frames."""

    matches: RowMatches
    board: list[tuple[float, float, float]]  # measured depth, its ratio to the true one, right column; per frame
    wall: list[tuple[float, float]]  # measured depth and right column, per frame


def check_rig(choice: CheckChoice) -> tuple[HealthReport, StereoCalibration]:
    """The report and the calibration that was checked; raises CameraError or CalibrationError."""
    if (choice.camera is None) == (choice.images is None):
        raise click.UsageError("give either --camera CAMERA or --images DIR")
    board = None if choice.board_text is None else parse_board(choice.board_text)
    with open_camera(choice.camera or f"images:{choice.images}") as camera:
        pairs = _pairs(camera.frames(), choice.frames)
        first = next(pairs, None)
        if first is None:
            raise CameraError("the camera gave no frame")
        calibration = _calibration(choice, camera.calibration, first[0].shape[::-1])
        rectification = Rectification.from_calibration(calibration)
        seen = _measure([first, *pairs], rectification, board, choice.distance_m)
    return _report(seen, rectification, choice), calibration


def _pairs(frames: Iterator[StereoFrame], count: int) -> Iterator[tuple[GreyImage, GreyImage]]:
    for frame in islice(frames, count):
        left, right = grey(frame.left.image), grey(frame.right.image)
        if problem := picture_problem(left, right):
            raise CalibrationError(problem)
        yield left, right


def _calibration(choice: CheckChoice, own: StereoCalibration | None, size: tuple[int, ...]) -> StereoCalibration:
    """The file named, else the camera's own, else the stored version in use; scaled to the frames."""
    if choice.calibration is not None:
        calibration = load_calibration(choice.calibration)
    elif own is not None:
        calibration = own
    else:
        version = CalibrationStore().current()
        if version is None:
            raise CalibrationError("no calibration is stored: give --calibration FILE", exit_code=os.EX_USAGE)
        calibration = version.load()
    return calibration.fitted_to(Size(size[0], size[1]))


def _measure(
    pairs: list[tuple[GreyImage, GreyImage]],
    rectification: Rectification,
    board: Board | None,
    distance_m: float | None,
) -> _Measured:
    maps = rectification.maps(rectification.rig.size)
    assert maps is not None
    seen = _Measured(RowMatches.joined([]), [], [])
    parts = []
    for left, right in pairs:
        sides = zip((left, right), maps, strict=True)
        matches = match_rows(*(cv2.remap(image, *tables, cv2.INTER_LINEAR) for image, tables in sides))
        view = None if board is None else see_pair(board, "", left, right)
        if isinstance(view, PairView) and board is not None:
            seen.board.append(calibrated_scale(rectification, view, board))
        elif distance_m is not None and (wall := _wall(matches, rectification)) is not None:
            seen.wall.append(wall)
        parts.append(matches)
    return _Measured(RowMatches.joined(parts), seen.board, seen.wall)


def _wall(matches: RowMatches, rectification: Rectification) -> tuple[float, float] | None:
    """Depth and right column of the middle of the image, None where too little is matched."""
    rig = rectification.rig
    middle = np.abs(matches.left / rig.size - 0.5).max(axis=1) < CENTRE / 2
    middle &= matches.disparity_px > 0
    if middle.sum() < LEAST_WALL_POINTS:
        return None
    disparity_px = float(np.median(matches.disparity_px[middle]))
    depth_m = (rig.focal_px or 1.0) * (rig.baseline_m or 1.0) / disparity_px
    return depth_m, float(np.median(matches.right[middle, 0]))


def _report(seen: _Measured, rectification: Rectification, choice: CheckChoice) -> HealthReport:
    rig = rectification.rig
    card = find_model("stereo")
    tolerance_px = (card.tolerated_share or DEFAULT_TOLERANCE_PX / DEFAULT_SIZE.width) * rig.size[0]
    return judge_health(row_health(seen.matches, rig), _depths(seen, rectification, choice), tolerance_px)


def _depths(seen: _Measured, rectification: Rectification, choice: CheckChoice) -> list[DepthHealth]:
    depths = []
    if seen.board:
        measured, ratio, column = (np.array(values) for values in zip(*seen.board, strict=True))
        depths.append(depth_health("board's size", rectification.rig, measured, measured / ratio, column))
        if choice.distance_m is not None:
            true: FloatArray = np.full(len(measured), choice.distance_m)
            depths.append(depth_health("stated distance", rectification.rig, measured, true, column))
    elif choice.distance_m is not None and seen.wall:
        measured, column = (np.array(values) for values in zip(*seen.wall, strict=True))
        true = np.full(len(measured), choice.distance_m)
        depths.append(depth_health("stated distance", rectification.rig, measured, true, column))
    if not depths and choice.board_text is not None:
        raise CalibrationError(f"no {choice.board_text} in any of the frames: hold it into both images")
    if not depths and choice.distance_m is not None:
        raise CalibrationError("nothing is matched in the middle of the image: point the rig at something with texture")
    return depths


def propose(calibration: StereoCalibration, report: HealthReport) -> str:
    """Store the corrected calibration, and say how to try it."""
    if report.rows is None or report.state == "good":
        return "nothing to correct: no calibration is proposed"
    yaw_deg = report.depths[0].yaw.degrees if report.depths else 0.0
    rotated = corrected(calibration, report.rows.roll.degrees, report.rows.pitch.degrees, yaw_deg)
    made_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    found = f"roll {report.rows.roll.degrees:.4f}, pitch {report.rows.pitch.degrees:.4f}, yaw {yaw_deg:.4f} deg"
    origin = {**calibration.origin, "verdict": "proposed", "corrected_by": found}
    version = CalibrationStore().add(replace(rotated, quality={}, made_at=made_at, origin=origin))
    return (
        f"proposed as version {version.number}, not put to use: check it with --calibration {version.path}, "
        f"then roma-device calibration use {version.number}"
    )
