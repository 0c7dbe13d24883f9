"""ROS camera_info: one YAML file for each camera of the pair.

Keys and their order are those of image_pipeline's calibrator. The right camera's ``P[0,3]`` is ``-fx' * baseline``
in px m, negative; both cameras' P are those of the rectified pair. Numbers are written in full, not rounded to a
few digits as the calibrator does.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import read_text, write_text
from roma_device.calibration.storage.yaml_section import Section, dump_yaml, parse_section

from .lens import camera_of, whole_size
from .raw_rig import RawRig, rectified_pose

NAMES = ("left.yaml", "right.yaml")


def save_ros(folder: Path, calibration: StereoCalibration) -> list[Path]:
    """Write ``left.yaml`` and ``right.yaml`` into ``folder``; raises CalibrationError."""
    rectification = Rectification.from_calibration(calibration)
    sides = (
        ("left", calibration.left, rectification.left_rotation, 0.0),
        ("right", calibration.right, rectification.right_rotation, calibration.baseline_m),
    )
    for name, camera, rotation, offset_m in sides:
        document = _document(name, camera, rotation, rectification, offset_m)
        write_text(folder / f"{name}.yaml", dump_yaml(document), make_folder=True)
    return [folder / name for name in NAMES]


def _document(
    name: str, camera: CameraModel, rotation: FloatArray | None, rectification: Rectification, offset_m: float
) -> dict[str, Any]:
    rig = rectification.rig
    focal = rig.focal_px or 1.0
    projection = [[focal, 0.0, rig.cx, -focal * offset_m], [0.0, focal, rig.cy, 0.0], [0.0, 0.0, 1.0, 0.0]]
    return camera_info(name, camera, np.eye(3) if rotation is None else rotation, np.array(projection))


def camera_info(name: str, camera: CameraModel, rectification: FloatArray, projection: FloatArray) -> dict[str, Any]:
    """The document of one camera; ``rectification`` is R (3, 3), ``projection`` P (3, 4)."""
    return {
        "image_width": camera.size[0],
        "image_height": camera.size[1],
        "camera_name": name,
        "camera_matrix": _matrix(camera.matrix),
        "distortion_model": camera.model,
        "distortion_coefficients": _matrix(camera.distortion[None]),
        "rectification_matrix": _matrix(rectification),
        "projection_matrix": _matrix(projection),
    }


def _matrix(values: FloatArray) -> dict[str, Any]:
    return {"rows": values.shape[0], "cols": values.shape[1], "data": [float(value) for value in values.ravel()]}


def read_ros(first: Path, second: Path) -> RawRig:
    """Read the pair of files; the rig's pose follows from their R and P. Raises CalibrationError."""
    one, other = _read(first), _read(second)
    if 0 in (one.projection[0, 0], other.projection[0, 0]):
        raise CalibrationError(f"{first} and {second}: projection_matrix is zero: is it of a stereo pair?")
    offset_m = rectified_pose([one.projection, other.projection])
    if not offset_m.any():
        raise CalibrationError(f"{second}: projection_matrix has no baseline (P[0,3] is 0): is it of a stereo pair?")
    rotation = other.rectification.T @ one.rectification
    return RawRig(one.camera, other.camera, Pose.from_rounded(rotation, other.rectification.T @ offset_m))


class _CameraInfo(NamedTuple):
    camera: CameraModel
    rectification: FloatArray
    projection: FloatArray


KEYS = {
    "width": ("image_width", "width"),
    "height": ("image_height", "height"),
    "K": ("camera_matrix", "k", "K"),
    "D": ("distortion_coefficients", "d", "D"),
    "R": ("rectification_matrix", "r", "R"),
    "P": ("projection_matrix", "p", "P"),
}
"""What the calibrator writes, what ``ros2 topic echo`` of a camera_info shows, and what ``rostopic echo`` does."""


def _read(path: Path) -> _CameraInfo:
    text = read_text(path, "camera info")
    first_message = re.split(r"\n---[ \t]*(?:\n|\Z)", text.lstrip("-\n ") if text.startswith("---") else text)
    top = parse_section(
        next((part for part in first_message if ":" in part and len(part) > 80), text), path, CalibrationError
    )
    with located(path):
        size = whole_size(top.number(_key(top, "width")), top.number(_key(top, "height")))
    matrix = _values(top, "K", (3, 3), path)
    if matrix[0, 0] == 0:
        raise CalibrationError(f"{path}: camera_matrix is zero: this camera is not calibrated", exit_code=os.EX_DATAERR)
    names = top.untaken()
    model = top.text(
        "distortion_model" if "distortion_model" in names or "camera_model" not in names else "camera_model"
    )
    distortion = _values(top, "D", None, path).ravel()
    rectification, projection = _values(top, "R", (3, 3), path), _values(top, "P", (3, 4), path)
    with located(path):
        return _CameraInfo(camera_of(size, matrix, model, distortion), rectification, projection)


def _key(top: Section, what: str) -> str:
    return next((name for name in KEYS[what] if name in top.untaken()), KEYS[what][0])


def _values(top: Section, what: str, shape: tuple[int, int] | None, path: Path) -> FloatArray:
    key = _key(top, what)
    values = top.section(key).numbers("data") if top.is_mapping(key) else top.numbers(key)
    if shape is None:
        return np.array(values)
    if len(values) != shape[0] * shape[1]:
        raise CalibrationError(f"{path}: {key}: a matrix of {shape[0]}x{shape[1]} holds {len(values)} numbers")
    return np.array(values).reshape(shape)
