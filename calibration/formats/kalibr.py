"""Kalibr's camchain: two cameras in one YAML file, the second with its pose from the first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import write_text
from roma_device.calibration.storage.yaml_section import Section, dump_yaml, read_section

from .lens import camera_of
from .raw_rig import RawRig


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


def read_kalibr(path: Path) -> RawRig:
    """Read the first two cameras of a camchain; raises CalibrationError with file, line and key.

    Their poses are the second's from the first (``T_cn_cnm1``), or both to the IMU (``T_cam_imu``, OpenVINS'
    ``T_imu_cam``).
    """
    top = read_section(path, "camchain", CalibrationError)
    sections = top.section("cam0"), top.section("cam1")
    pose = _second_from_first(*sections)
    first, second = (_camera(section, path) for section in sections)
    return RawRig(first, second, pose)


def _second_from_first(first: Section, second: Section) -> Pose:
    if "T_cn_cnm1" not in second.untaken():
        for key in ("T_cam_imu", "T_imu_cam"):
            if key in first.untaken() and key in second.untaken():
                one, other = (_pose(section, key) for section in (first, second))
                return other @ one.inverse() if key == "T_cam_imu" else other.inverse() @ one
    return _pose(second, "T_cn_cnm1")


def _pose(section: Section, key: str) -> Pose:
    matrix = np.array(section.matrix(key, 4, 4))
    return Pose.from_rounded(matrix[:3, :3], matrix[:3, 3])


def _camera(section: Section, path: Path) -> CameraModel:
    section.choice("camera_model", ("pinhole",))
    name = section.text("distortion_model")
    fx, fy, cx, cy = section.numbers("intrinsics", 4)
    width, height = section.numbers("resolution", 2)
    coefficients = section.numbers("distortion_coeffs")
    with located(path):
        return camera_of(Size(int(width), int(height)), pinhole_matrix(fx, fy, cx, cy), name, coefficients)
