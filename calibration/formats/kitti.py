"""KITTI: calib_cam_to_cam.txt of the raw recordings, or calib.txt with P0 to P3 of the rectified ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.size import Size
from roma_device.calibration.storage.text_file import read_text

from .number_lines import number_lines, numbers_of

GREY, COLOUR = ("00", "01"), ("02", "03")


def load_kitti(path: Path, size: Size | None = None) -> StereoCalibration:
    """The colour pair of a raw recording, where there is one, else the grey one; raises CalibrationError."""
    lines = number_lines(read_text(path, "KITTI calibration"), ":")
    if any(name.startswith("K_") for name in lines):
        return _raw(lines, COLOUR if f"K_{COLOUR[0]}" in lines else GREY, path)
    if size is None:
        raise CalibrationError(f"{path}: the image size is not in it: give --size WIDTHxHEIGHT", exit_code=os.EX_USAGE)
    return _rectified(lines, ("P2", "P3") if "P2" in lines and "P3" in lines else ("P0", "P1"), size, path)


def _raw(lines: dict[str, FloatArray], pair: tuple[str, str], path: Path) -> StereoCalibration:
    cameras, poses = [], []
    for number in pair:
        width, height = numbers_of(lines, f"S_{number}", 2, path).astype(int).tolist()
        matrix = numbers_of(lines, f"K_{number}", 9, path).reshape(3, 3)
        cameras.append(CameraModel(Size(width, height), matrix, numbers_of(lines, f"D_{number}", 5, path)))
        rotation = numbers_of(lines, f"R_{number}", 9, path).reshape(3, 3)
        poses.append(Pose.from_rounded(rotation, numbers_of(lines, f"T_{number}", 3, path)))
    return StereoCalibration(cameras[0], cameras[1], poses[1] @ poses[0].inverse())


def _rectified(lines: dict[str, FloatArray], names: tuple[str, str], size: Size, path: Path) -> StereoCalibration:
    """An ideal pair: P is K [I | t], with t from the reference camera."""
    matrices = [numbers_of(lines, name, 12, path).reshape(3, 4) for name in names]
    cameras = [CameraModel(size, matrix[:, :3], np.zeros(5)) for matrix in matrices]
    left, right = (np.linalg.solve(matrix[:, :3], matrix[:, 3]) for matrix in matrices)
    return StereoCalibration(cameras[0], cameras[1], Pose(np.eye(3), right - left))
