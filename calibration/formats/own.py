"""This program's own calibration file: all of a StereoCalibration, to the last bit, in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel, DistortionModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.plausibility import checked
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import write_text
from roma_device.calibration.storage.yaml_section import Section, dump_yaml, parse_section, read_section

FORMAT = "roma-device-calibration"
VERSION = 1

_COMMENT = """\
# Stereo calibration with a baseline of {baseline_mm:.2f} mm. Units: px, m, rad.
# right_from_left takes points from the left to the right optical frame (x right, y down, z forward).
"""


def read_own(path: Path) -> StereoCalibration:
    """What ``save_calibration`` wrote, not yet judged; raises CalibrationError."""
    return _parse(read_section(path, "calibration", CalibrationError), path)


def save_calibration(path: Path, calibration: StereoCalibration) -> None:
    """Write all of ``calibration`` with full precision, whole or not at all, replacing ``path``.

    Raises CalibrationError where the file cannot be written, for what could not be read back, and for no possible rig.
    """
    text = _COMMENT.format(baseline_mm=calibration.baseline_m * 1000) + dump_yaml(own_document(calibration))
    _parse(parse_section(text, path, CalibrationError), path)
    checked(calibration, path, warn=False)
    write_text(path, text, "calibration")


def _parse(top: Section, path: Path) -> StereoCalibration:
    if (found := top.text("format")) != FORMAT:
        raise CalibrationError(f"{path}: format is {found!r}, but this program reads {FORMAT}")
    if (version := top.number("version")) != VERSION:
        raise CalibrationError(f"{path}: version is {version:g}, but this program reads {VERSION}")
    made_at, serial = top.text("made_at", ""), top.text("serial", "")
    size = _size(top, path)
    left, right = (_camera(top.section(side), size, f"{path}: {side}") for side in ("left", "right"))
    pose = top.section("right_from_left")
    rotation, translation_m = pose.matrix("rotation", 3, 3), pose.numbers("translation_m", 3)
    pose.finish()
    quality = top.section("quality").rest() if "quality" in top.untaken() else {}
    origin = top.section("origin").rest_texts() if "origin" in top.untaken() else {}
    top.finish()
    with located(f"{path}: right_from_left"):
        right_from_left = Pose(np.array(rotation), np.array(translation_m))
        return StereoCalibration(left, right, right_from_left, quality, made_at, serial, origin)


def _size(top: Section, path: Path) -> Size:
    width, height = top.numbers("image_size", 2)
    if not (width.is_integer() and height.is_integer() and width > 0 and height > 0):
        raise CalibrationError(f"{path}: image_size is {width:g} x {height:g}: both must be whole")
    return Size(int(width), int(height))


def _camera(section: Section, size: Size, where: str) -> CameraModel:
    matrix = section.section("matrix")
    fx, fy, cx, cy = (matrix.number(key) for key in ("fx", "fy", "cx", "cy"))
    matrix.finish()
    model, distortion = cast(DistortionModel, section.text("model")), section.numbers("distortion")
    section.finish()
    with located(where):
        return CameraModel(size, pinhole_matrix(fx, fy, cx, cy), np.array(distortion), model)


def own_document(calibration: StereoCalibration) -> dict[str, Any]:
    """What the file holds."""
    pose, origin = calibration.right_from_left, calibration.origin
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_at": calibration.made_at,
        "serial": calibration.serial,
        "image_size": [int(length) for length in calibration.left.size],
        "left": _camera_document(calibration.left),
        "right": _camera_document(calibration.right),
        # A rotation vector is shorter, but turning it into a matrix and back does not keep every bit.
        "right_from_left": {"rotation": pose.rotation.tolist(), "translation_m": pose.translation_m.tolist()},
        "quality": {str(name): float(value) for name, value in calibration.quality.items()},
        **({"origin": {str(key): str(value) for key, value in origin.items()}} if origin else {}),
    }


def _camera_document(camera: CameraModel) -> dict[str, Any]:
    fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
    return {
        "matrix": {"fx": fx, "fy": fy, "cx": cx, "cy": cy},
        "model": camera.model,
        "distortion": camera.distortion.tolist(),
    }
