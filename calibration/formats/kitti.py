"""KITTI: calib_cam_to_cam.txt of the raw recordings, or calib.txt with P0 to P3 of the rectified ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import read_text

from .lens import camera_of
from .number_lines import number_lines, numbers_of
from .raw_rig import RawRig, rectified_pose

GREY, COLOUR = ("00", "01"), ("02", "03")


def load_kitti(path: Path, size: Size | None = None) -> StereoCalibration:
    """As ``read_kitti``, with the first camera on the left."""
    return read_kitti(path, size).calibration()


def read_kitti(path: Path, size: Size | None = None) -> RawRig:
    """The colour pair of a recording, where there is one, else the grey one; raises CalibrationError.

    Of calib_cam_to_cam.txt the rectified pair where ``size`` is that of S_rect, and the raw one where it is that of S_
    or not given.
    """
    lines = number_lines(read_text(path, "KITTI calibration"), ":")
    if any(name.startswith(("K_", "P_rect_")) for name in lines):
        return _of_recording(
            lines, COLOUR if {f"K_{COLOUR[0]}", f"P_rect_{COLOUR[0]}"} & set(lines) else GREY, size, path
        )
    if size is None:
        raise CalibrationError(
            lambda option: f"{path}: the image size is not in it: give {option('size', 'WIDTHxHEIGHT')}",
            exit_code=os.EX_USAGE,
        )
    return _rectified(lines, ("P2", "P3") if "P2" in lines and "P3" in lines else ("P0", "P1"), size, path)


def _of_recording(lines: dict[str, FloatArray], pair: tuple[str, str], size: Size | None, path: Path) -> RawRig:
    sizes = {name: _size(lines, f"{name}_{pair[0]}", path) for name in ("S", "S_rect") if f"{name}_{pair[0]}" in lines}
    if size is None and "S" in sizes and f"K_{pair[0]}" in lines:
        return _raw(lines, pair, path)
    wanted = size or sizes.get("S_rect")
    if wanted is None or wanted not in sizes.values():
        known = " and ".join(f"{size} ({name}_{pair[0]})" for name, size in sizes.items()) or "none"
        raise CalibrationError(
            f"{path}: --size {wanted or 'is missing, and'} is not among its image sizes, which are {known}",
            exit_code=os.EX_USAGE,
        )
    if wanted == sizes.get("S_rect") and f"P_rect_{pair[0]}" in lines:
        return _rectified(lines, (f"P_rect_{pair[0]}", f"P_rect_{pair[1]}"), wanted, path)
    return _raw(lines, pair, path)


def _size(lines: dict[str, FloatArray], name: str, path: Path) -> Size:
    width, height = numbers_of(lines, name, 2, path)
    return Size(round(width), round(height))


def _raw(lines: dict[str, FloatArray], pair: tuple[str, str], path: Path) -> RawRig:
    cameras, poses = [], []
    for number in pair:
        matrix = numbers_of(lines, f"K_{number}", 9, path).reshape(3, 3)
        distortion = numbers_of(lines, f"D_{number}", None, path)
        with located(path):
            cameras.append(camera_of(_size(lines, f"S_{number}", path), matrix, "", distortion))
        rotation = numbers_of(lines, f"R_{number}", 9, path).reshape(3, 3)
        poses.append(Pose.from_rounded(rotation, numbers_of(lines, f"T_{number}", 3, path)))
    return RawRig(cameras[0], cameras[1], poses[1] @ poses[0].inverse())


def _rectified(lines: dict[str, FloatArray], names: tuple[str, str], size: Size, path: Path) -> RawRig:
    """An ideal pair: P is K [I | t], with t from the reference camera."""
    matrices = [numbers_of(lines, name, 12, path).reshape(3, 4) for name in names]
    with located(path):
        first, second = (CameraModel(size, matrix[:, :3], np.zeros(5)) for matrix in matrices)
    return RawRig(first, second, Pose(np.eye(3), rectified_pose(matrices)))
