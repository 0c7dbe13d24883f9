"""Kalibr's camchain: two cameras in one YAML file, the second with its pose from the first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel, DistortionModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import write_text
from roma_device.calibration.storage.yaml_section import Section, dump_yaml, read_section

MODELS: dict[str, DistortionModel] = {"radtan": "plumb_bob", "equidistant": "equidistant", "equi": "equidistant"}
OPTIONAL = {"rostopic", "cam_overlaps", "timeshift_cam_imu", "T_cam_imu"}


def save_kalibr(path: Path, calibration: StereoCalibration) -> None:
    """Write a camchain; raises CalibrationError for a lens that Kalibr has no model for."""
    left, right = camera_document(calibration.left), camera_document(calibration.right)
    right["T_cn_cnm1"] = calibration.right_from_left.matrix.tolist()
    write_text(path, dump_yaml({"cam0": left, "cam1": right}), make_folder=True)


def camera_document(camera: CameraModel) -> dict[str, Any]:
    """One camera of a camchain; raises CalibrationError for a lens that Kalibr has no model for."""
    coefficients = camera.distortion
    if camera.model == "plumb_bob" and coefficients[4] == 0:
        name, coefficients = "radtan", coefficients[:4]
    elif camera.model == "equidistant":
        name = "equidistant"
    else:
        what = "a third radial coefficient" if camera.model == "plumb_bob" else "the rational model"
        raise CalibrationError(
            lambda option: (
                f"Kalibr has no lens with {what}, so this calibration cannot be written for it; "
                f"calibrate with {option('lens', 'fisheye')}, or export for ros or opencv"
            ),
            exit_code=os.EX_DATAERR,
        )
    return {
        "camera_model": "pinhole",
        "intrinsics": [camera.fx, camera.fy, camera.cx, camera.cy],
        "distortion_model": name,
        "distortion_coeffs": coefficients.tolist(),
        "resolution": list(camera.size),
        "rostopic": "",
    }


def load_kalibr(path: Path) -> StereoCalibration:
    """Read the first two cameras of a camchain; raises CalibrationError with file, line and key."""
    top = read_section(path, "camchain", CalibrationError)
    left = _camera(top.section("cam0"), path)
    second = top.section("cam1")
    matrix = np.array(second.matrix("T_cn_cnm1", 4, 4))
    right = _camera(second, path)
    with located(path):
        return StereoCalibration(left, right, Pose.from_rounded(matrix[:3, :3], matrix[:3, 3]))


def _camera(section: Section, path: Path) -> CameraModel:
    section.choice("camera_model", ("pinhole",))
    model = MODELS[section.choice("distortion_model", tuple(MODELS))]
    fx, fy, cx, cy = section.numbers("intrinsics", 4)
    width, height = section.numbers("resolution", 2)
    coefficients = section.numbers("distortion_coeffs", 4)
    distortion = np.array([*coefficients, 0.0] if model == "plumb_bob" else coefficients)
    with located(path):
        return CameraModel(Size(int(width), int(height)), pinhole_matrix(fx, fy, cx, cy), distortion, model)
