"""``roma-device run --task pose --intrinsics ...``: relative pose or fundamental matrix of each image pair."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from itertools import islice

import click

from roma_device.app.cameras import Camera, CameraError, open_camera
from roma_device.app.matchers import PairMatcher, open_matcher
from roma_device.app.run.from_settings import network_options, stored_calibration
from roma_device.app.settings.settings import Settings
from roma_device.calibration.arrays import GreyImage, Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.grey import grey
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose
from roma_device.runtime.relative_pose.fundamental import estimate_fundamental
from roma_device.runtime.relative_pose.result import EpipolarGeometry, RelativePose
from roma_device.runtime.types import StereoFrame

from .intrinsics import RIG, PairCameras, pair_cameras
from .report import geometry_record, geometry_text, pose_record, pose_text
from .rig_check import RigCheck

SAME_IMAGE = "both images are the same: there is no motion to see"


def estimate_pair(
    a: GreyImage, b: GreyImage, pairs: PointPairs, cameras: PairCameras | None
) -> RelativePose | EpipolarGeometry:
    """From the ``pairs`` of two images; without ``cameras`` the epipolar geometry alone."""
    same = a.shape == b.shape and bool((a == b).all())
    if cameras is None:
        return EpipolarGeometry.lost(SAME_IMAGE, len(pairs)) if same else estimate_fundamental(pairs, Size.of(b))
    return RelativePose.lost(SAME_IMAGE, len(pairs)) if same else estimate_relative_pose(pairs, cameras.a, cameras.b)


EXIT_BAD_ANSWER = 1


@dataclass(frozen=True, slots=True)
class PairPoseChoice:
    """What the user asked for besides the settings."""

    intrinsics: tuple[str, ...]
    matcher: str | None = None  # None: the default
    as_json: bool = False


def run_pair_pose(settings: Settings, choice: PairPoseChoice) -> int:
    """Print the relative pose of each pair of the camera; returns the exit code.

    1: no pair has a pose, or the rig's calibration no longer holds. Raises CameraError, CalibrationError, MatcherError.
    """
    if settings.camera is None:
        raise CameraError("no pair is named: give --camera images:FIRST,SECOND", exit_code=os.EX_USAGE)
    matcher = open_matcher(choice.matcher, network_options(settings))
    check, found = None, False
    try:
        with open_camera(settings.camera) as camera:
            rig = _rig(settings, camera, choice.intrinsics)
            check = None if rig is None else RigCheck(rig.right_from_left)
            for index, frame in enumerate(islice(camera.frames(), settings.frames)):
                result = _pose_of(frame, choice.intrinsics, rig, matcher)
                found |= result.state != "lost"
                if check is not None and isinstance(result, RelativePose):
                    check.add(result)
                click.echo(_shown(index, result, choice.as_json))
    finally:
        matcher.close()
    return _conclude(check, found, choice.as_json)


def _rig(settings: Settings, camera: Camera, intrinsics: tuple[str, ...]) -> StereoCalibration | None:
    if RIG not in intrinsics:
        return None
    rig = stored_calibration(settings, camera) or camera.calibration
    if rig is None:
        raise CalibrationError(
            "--intrinsics rig needs the rig's calibration: give --calibration FILE", exit_code=os.EX_USAGE
        )
    return rig


def _pose_of(
    frame: StereoFrame, intrinsics: tuple[str, ...], rig: StereoCalibration | None, matcher: PairMatcher
) -> RelativePose | EpipolarGeometry:
    a, b = grey(frame.left.image), grey(frame.right.image)
    sizes = Size.of(a), Size.of(b)
    cameras = pair_cameras(intrinsics, sizes, rig)
    pairs = matcher.match(a, b)
    return estimate_pair(a, b, pairs, cameras)


def _shown(index: int, result: RelativePose | EpipolarGeometry, as_json: bool) -> str:
    if as_json:
        record = pose_record(result) if isinstance(result, RelativePose) else geometry_record(result)
        return json.dumps({"index": index, **record})
    text = pose_text(result) if isinstance(result, RelativePose) else geometry_text(result)
    return f"pair {index}: {text}"


def _conclude(check: RigCheck | None, found: bool, as_json: bool) -> int:
    verdict = None if check is None else check.verdict()
    if verdict is not None:
        click.echo(json.dumps({"calibration": verdict.as_json()}) if as_json else verdict.as_text())
    holds = verdict is None or verdict.holds
    return 0 if found and holds else EXIT_BAD_ANSWER
