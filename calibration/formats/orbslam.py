"""ORB-SLAM2 and ORB-SLAM3: settings files with both cameras, a rig with its pose, or a rectified pair."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from loguru import logger

from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.camera import CameraModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.files import read_text
from roma_device.calibration.storage.yaml_section import Section, parse_section

from .lens import camera_of, whole_size
from .raw_rig import RawRig, rectified_pose

DEPTH_SCALE = "DepthMapFactor"
"""Ends the key that only settings of a camera with a depth sensor have."""

_COEFFICIENTS = ("k1", "k2", "p1", "p2", "k3")
_FISHEYE_COEFFICIENTS = ("k1", "k2", "k3", "k4")


def read_orbslam(path: Path, size: Size | None = None) -> RawRig:
    """Raises CalibrationError with file, line and key."""
    text = re.sub(r"^([\w.]+):(?=[^\s])", r"\1: ", read_text(path, "ORB-SLAM settings"), flags=re.MULTILINE)
    top = parse_section(text, path, CalibrationError)
    names = top.untaken()
    with located(path):
        if depth := next((name for name in names if name.endswith(DEPTH_SCALE)), None):
            raise CalibrationError(f"{depth} says that this is an RGB-D camera: it has no second image to match with")
        if "LEFT.K" in names:
            return _raw_pair(top)
        size = _size(top, size)
        for key in ("Stereo.T_c1_c2", "Tlr"):
            if key in names:
                return _posed(top, key, size)
        return _rectified(top, size, path)


def _size(top: Section, size: Size | None) -> Size:
    if size is not None and "Camera.width" not in top.untaken():
        return size
    return whole_size(top.number("Camera.width"), top.number("Camera.height"))


def _raw_pair(top: Section) -> RawRig:
    """ORB-SLAM2's EuRoC settings: K, D, R and P of both sides, as in ROS."""
    cameras, rotations, projections = [], [], []
    for side in ("LEFT", "RIGHT"):
        size = whole_size(top.number(f"{side}.width"), top.number(f"{side}.height"))
        matrix, lens, rotation, projection = (_matrix(top, f"{side}.{name}") for name in "KDRP")
        cameras.append(camera_of(size, matrix.reshape(3, 3), "", lens))
        rotations.append(rotation.reshape(3, 3))
        projections.append(projection.reshape(3, 4))
    pose = Pose.from_rounded(rotations[1].T @ rotations[0], rotations[1].T @ rectified_pose(projections))
    return RawRig(cameras[0], cameras[1], pose)


def _posed(top: Section, key: str, size: Size) -> RawRig:
    """A pose of the second camera in the first one's frame, 4x4 or 3x4."""
    matrix = _matrix(top, key).reshape(-1, 4)
    first_from_second = Pose.from_rounded(matrix[:3, :3], matrix[:3, 3])
    model = top.text("Camera.type", "PinHole")
    first = "Camera1" if "Camera1.fx" in top.untaken() else "Camera"
    cameras = [_camera(top, name, size, model) for name in (first, "Camera2")]
    return RawRig(cameras[0], cameras[1], first_from_second.inverse())


def _camera(top: Section, name: str, size: Size, model: str) -> CameraModel:
    fx, fy, cx, cy = (top.number(f"{name}.{key}") for key in ("fx", "fy", "cx", "cy"))
    keys = _FISHEYE_COEFFICIENTS if "kannala" in model.lower() else _COEFFICIENTS
    lens = [top.number(f"{name}.{key}", 0.0) for key in keys]
    return camera_of(size, pinhole_matrix(fx, fy, cx, cy), model, lens)


def _rectified(top: Section, size: Size, path: Path) -> RawRig:
    """One camera for both, and the baseline ``Stereo.b`` in m or ``Camera.bf`` in px m."""
    name = "Camera1" if "Camera1.fx" in top.untaken() else "Camera"
    camera = _camera(top, name, size, "PinHole")
    if camera.distortion.any():
        logger.warning(f"{path}: {name} has a lens distortion, though bf and Stereo.b belong to rectified pairs")
    baseline_m = top.number("Stereo.b") if "Stereo.b" in top.untaken() else top.number("Camera.bf") / camera.fx
    return RawRig(camera, camera, Pose(np.eye(3), np.array([-baseline_m, 0.0, 0.0])))


def _matrix(top: Section, key: str) -> FloatArray:
    return np.array(top.section(key).numbers("data"))
