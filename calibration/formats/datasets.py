"""Calibration files of data sets, which are only read: KITTI, Middlebury (rectified pairs), EuRoC (ASL)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.camera import CameraModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import read_text
from roma_device.calibration.storage.yaml_section import parse_section

_SEPARATOR = re.compile(r"[\s,;\[\]]+")


def number_lines(text: str, separator: str) -> dict[str, FloatArray]:
    """Name -> numbers of every line ``NAME<separator>NUMBERS``; lines with other content are left out."""
    found = {}
    for line in text.splitlines():
        name, mark, rest = line.partition(separator)
        words = [word for word in _SEPARATOR.split(rest) if word]
        try:
            numbers = np.array([float(word) for word in words])
        except ValueError:
            continue
        if mark and len(numbers) and np.isfinite(numbers).all():
            found[name.strip()] = numbers
    return found


def numbers_of(lines: dict[str, FloatArray], name: str, count: int, path: Path) -> FloatArray:
    """The numbers of one line; raises CalibrationError where it is missing or of another length."""
    if name not in lines:
        raise CalibrationError(f"{path}: {name} is missing")
    if len(lines[name]) != count:
        raise CalibrationError(f"{path}: {name} must have {count} numbers, not {len(lines[name])}")
    return lines[name]


GREY, COLOUR = ("00", "01"), ("02", "03")


def load_kitti(path: Path, size: Size | None = None) -> StereoCalibration:
    """The colour pair of a raw recording, where there is one, else the grey one; raises CalibrationError."""
    lines = number_lines(read_text(path, "KITTI calibration"), ":")
    if any(name.startswith("K_") for name in lines):
        return _raw(lines, COLOUR if f"K_{COLOUR[0]}" in lines else GREY, path)
    if size is None:
        raise CalibrationError(
            lambda option: f"{path}: the image size is not in it: give {option('size', 'WIDTHxHEIGHT')}",
            exit_code=os.EX_USAGE,
        )
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


MM = 1e-3


def load_middlebury(path: Path) -> StereoCalibration:
    """``cam0``, ``cam1``, ``baseline`` (mm), ``width`` and ``height``; raises CalibrationError."""
    lines = number_lines(read_text(path, "Middlebury calibration"), "=")
    size = Size(int(numbers_of(lines, "width", 1, path)[0]), int(numbers_of(lines, "height", 1, path)[0]))
    left, right = (
        CameraModel(size, numbers_of(lines, name, 9, path).reshape(3, 3), np.zeros(5)) for name in ("cam0", "cam1")
    )
    baseline_m = float(numbers_of(lines, "baseline", 1, path)[0]) * MM
    return StereoCalibration(left, right, Pose(np.eye(3), np.array([-baseline_m, 0.0, 0.0])))


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
