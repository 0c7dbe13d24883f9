"""EuRoC (ASL): a sensor.yaml for each camera with its pose in the body's frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roma_device.calibration.camera import CameraModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.size import Size
from roma_device.calibration.storage.text_file import read_text
from roma_device.calibration.storage.yaml_section import parse_section

MODELS = ("radial-tangential",)


def load_euroc(left: Path, right: Path) -> StereoCalibration:
    """Two files such as cam0/sensor.yaml and cam1/sensor.yaml; raises CalibrationError."""
    (first, body_from_left), (second, body_from_right) = _read(left), _read(right)
    with located(f"{left} and {right}"):
        return StereoCalibration(first, second, body_from_right.inverse() @ body_from_left)


def _read(path: Path) -> tuple[CameraModel, Pose]:
    text = read_text(path, "EuRoC sensor file")
    text = text.replace("%YAML:1.0", "#", 1)  # as OpenCV writes it, which is no YAML to others
    top = parse_section(text, path, CalibrationError)
    width, height = top.numbers("resolution", 2)
    fx, fy, cx, cy = top.numbers("intrinsics", 4)
    top.choice("distortion_model", MODELS)
    distortion = np.array([*top.numbers("distortion_coefficients", 4), 0.0])
    body_from_camera = np.array(top.section("T_BS").numbers("data", 16)).reshape(4, 4)
    camera = CameraModel(Size(int(width), int(height)), pinhole_matrix(fx, fy, cx, cy), distortion)
    return camera, Pose.from_rounded(body_from_camera[:3, :3], body_from_camera[:3, 3])
