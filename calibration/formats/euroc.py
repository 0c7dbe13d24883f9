"""EuRoC (ASL): a sensor.yaml for each camera with its pose in the body's frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roma_device.calibration.camera import CameraModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.yaml_section import read_section

from .lens import camera_of, whole_size
from .raw_rig import RawRig


def read_euroc(first: Path, second: Path) -> RawRig:
    """Two files such as cam0/sensor.yaml and cam1/sensor.yaml; raises CalibrationError."""
    (camera_a, body_from_a), (camera_b, body_from_b) = _read(first), _read(second)
    return RawRig(camera_a, camera_b, body_from_b.inverse() @ body_from_a)


def _read(path: Path) -> tuple[CameraModel, Pose]:
    top = read_section(path, "EuRoC sensor file", CalibrationError)
    width, height = top.numbers("resolution", 2)
    fx, fy, cx, cy = top.numbers("intrinsics", 4)
    name, distortion = top.text("distortion_model"), top.numbers("distortion_coefficients")
    body_from_camera = np.array(top.section("T_BS").numbers("data", 16)).reshape(4, 4)
    with located(path):
        camera = camera_of(whole_size(width, height), pinhole_matrix(fx, fy, cx, cy), name, distortion)
    return camera, Pose.from_rounded(body_from_camera[:3, :3], body_from_camera[:3, 3])
