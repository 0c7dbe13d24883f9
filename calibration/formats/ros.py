"""ROS camera_info: one YAML file for each camera of the pair.

Keys and their order are those of image_pipeline's calibrator. The right camera's ``P[0,3]`` is ``-fx' * baseline``
in px m, negative; both cameras' P are those of the rectified pair. Numbers are written in full, not rounded to a
few digits as the calibrator does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.camera import COEFFICIENTS, CameraModel, DistortionModel
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import write_text
from roma_device.calibration.storage.yaml_section import Section, dump_yaml, read_section

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


def load_ros(left: Path, right: Path) -> StereoCalibration:
    """Read the pair of files; the rig's pose follows from their R and P. Raises CalibrationError."""
    first, second = _read(left), _read(right)
    offset = second.projection[0, 3] / second.projection[0, 0]
    if offset == 0:
        raise CalibrationError(f"{right}: projection_matrix has no baseline (P[0,3] is 0): is it of a stereo pair?")
    if offset > 0:
        raise CalibrationError(f"{right}: P[0,3] is positive, so this is the left camera: are the files swapped?")
    rotation = second.rectification.T @ first.rectification
    translation_m = second.rectification.T @ np.array([offset, 0.0, 0.0])
    return StereoCalibration(first.camera, second.camera, Pose.from_rounded(rotation, translation_m))


class _CameraInfo(NamedTuple):
    camera: CameraModel
    rectification: FloatArray
    projection: FloatArray


def _read(path: Path) -> _CameraInfo:
    top = read_section(path, "camera info", CalibrationError)
    size = Size(int(top.number("image_width")), int(top.number("image_height")))
    matrix = _values(top.section("camera_matrix"), (3, 3), path)
    if matrix[0, 0] == 0:
        raise CalibrationError(f"{path}: camera_matrix is zero: this camera is not calibrated", exit_code=os.EX_DATAERR)
    model = cast(DistortionModel, top.choice("distortion_model", tuple(COEFFICIENTS)))
    section = top.section("distortion_coefficients")
    distortion = _values(section, (1, int(section.number("cols"))), path).ravel()
    rectification = _values(top.section("rectification_matrix"), (3, 3), path)
    projection = _values(top.section("projection_matrix"), (3, 4), path)
    with located(path):
        return _CameraInfo(CameraModel(size, matrix, padded(distortion, model), model), rectification, projection)


def padded(distortion: Sequence[float] | FloatArray, model: DistortionModel) -> FloatArray:
    """Coefficients that files leave out where they are zero: k3 of plumb_bob, all of an ideal lens."""
    values = np.asarray(distortion, np.float64).ravel()
    missing = COEFFICIENTS[model] - len(values)
    return np.pad(values, (0, missing)) if missing > 0 and len(values) in (0, 4) else values


def _values(section: Section, shape: tuple[int, int], path: Path) -> FloatArray:
    values = section.numbers("data")
    if len(values) != shape[0] * shape[1]:
        raise CalibrationError(f"{path}: a matrix of {shape[0]}x{shape[1]} holds {len(values)} numbers")
    return np.array(values).reshape(shape)
