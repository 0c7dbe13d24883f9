"""KITTI: calib_cam_to_cam.txt of the raw recordings, or calib.txt with P0 to P3 of the rectified ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from loguru import logger

from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import read_text

from .lens import camera_of
from .number_lines import number_lines, numbers_of
from .raw_rig import RawRig, rectified_pose

CAMERAS = {"grey": ("00", "01"), "colour": ("02", "03")}
"""Each car of KITTI's has two stereo pairs, whose baselines differ by 4 mm."""


def load_kitti(path: Path, size: Size | None = None, cameras: str | None = None) -> StereoCalibration:
    """As ``read_kitti``, with the first camera on the left."""
    return read_kitti(path, size, cameras).calibration()


def read_kitti(path: Path, size: Size | None = None, cameras: str | None = None) -> RawRig:
    """The pair of CAMERAS, by default the colour one where there is one, which is said; raises CalibrationError.

    Of calib_cam_to_cam.txt the rectified pair where ``size`` is that of S_rect, and the raw one where it is that of S_
    or not given.
    """
    lines = number_lines(read_text(path, "KITTI calibration"), ":")
    there = [kind for kind, numbers in CAMERAS.items() if _has(lines, numbers[0])] or ["grey"]
    if cameras is not None and cameras not in there:
        raise CalibrationError(f"{path}: the {cameras} cameras are not in it, only the {there[0]} ones")
    rig = _read(lines, CAMERAS[cameras or there[-1]], size, path)
    if cameras is None and len(there) == 2:
        other_mm = 1000 * _read(lines, CAMERAS["grey"], rig.first.size, path).calibration().baseline_m
        logger.warning(
            f"{path}: the colour cameras are taken (image_2 and image_3), {1000 * rig.calibration().baseline_m:.1f} mm "
            f"apart; the grey ones (image_0 and image_1) are {other_mm:.1f} mm apart: import with --cameras grey for "
            "these, or with --cameras colour"
        )
    return rig


def _has(lines: dict[str, FloatArray], number: str) -> bool:
    return bool({f"K_{number}", f"P_rect_{number}", f"P{int(number)}"} & set(lines))


def _read(lines: dict[str, FloatArray], pair: tuple[str, str], size: Size | None, path: Path) -> RawRig:
    if any(name.startswith(("K_", "P_rect_")) for name in lines):
        return _of_recording(lines, pair, size, path)
    if size is None:
        raise CalibrationError(
            lambda option: f"{path}: the image size is not in it: say it with {option('size', 'WIDTHxHEIGHT')}",
            exit_code=os.EX_USAGE,
        )
    return _rectified(lines, (f"P{int(pair[0])}", f"P{int(pair[1])}"), size, path)


def _of_recording(lines: dict[str, FloatArray], pair: tuple[str, str], size: Size | None, path: Path) -> RawRig:
    sizes = {name: _size(lines, f"{name}_{pair[0]}", path) for name in ("S", "S_rect") if f"{name}_{pair[0]}" in lines}
    if size is None and "S" in sizes and f"K_{pair[0]}" in lines:
        return _raw(lines, pair, path)
    wanted = size or sizes.get("S_rect")
    if wanted is None or wanted not in sizes.values():
        known = " and ".join(f"{size} ({name}_{pair[0]})" for name, size in sizes.items()) or "none"
        raise CalibrationError(
            lambda option: (
                f"{path}: it is for images of {known}{f', not {wanted}' if wanted else ''}: "
                f"give one of these with {option('size')}"
            ),
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
