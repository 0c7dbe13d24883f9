"""Import and export of calibrations of other programs, with detection of the format."""

from __future__ import annotations

import os
from pathlib import Path

from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import CalibrationError, usage
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import read_text

from .datasets import load_euroc, load_kitti, load_middlebury
from .kalibr import load_kalibr, save_kalibr
from .opencv import load_opencv, save_opencv
from .own import FORMAT, load_calibration, save_calibration
from .ros import load_ros, save_ros

READ = ("own", "ros", "opencv", "kalibr", "kitti", "euroc", "middlebury")
WRITTEN = ("own", "ros", "opencv", "kalibr")
PAIRED = {"ros": ("left.yaml", "right.yaml"), "euroc": ("cam0/sensor.yaml", "cam1/sensor.yaml")}
"""Formats with one file for each camera, and the names that these have in a folder."""

_MARKS = {
    "own": FORMAT,
    "ros": "projection_matrix",
    "kalibr": "distortion_coeffs",
    "euroc": "T_BS",
    "middlebury": "cam0=",
}


def import_calibration(
    paths: list[Path], format_name: str | None = None, size: Size | None = None
) -> StereoCalibration:
    """Read one file, two (left and right), or a folder with both; the format shows by itself.

    ``size`` is for files that do not tell it. Raises CalibrationError.
    """
    paths = _files(paths)
    name = format_name or format_of(paths[0])
    if name in PAIRED and len(paths) != 2:
        raise usage(f"{paths[0]} is one camera of a pair in {name}'s format: give the file of the right one as well")
    if name not in (*PAIRED, "opencv") and len(paths) != 1:
        raise usage(f"{name}'s format has both cameras in one file, so {paths[1]} is one too many")
    if name == "ros":
        return load_ros(*paths)
    if name == "euroc":
        return load_euroc(*paths)
    if name == "opencv":
        return load_opencv(paths, size)
    if name == "kitti":
        return load_kitti(paths[0], size)
    return {"own": load_calibration, "kalibr": load_kalibr, "middlebury": load_middlebury}[name](paths[0])


def export_calibration(path: Path, calibration: StereoCalibration, format_name: str) -> list[Path]:
    """Write ``path`` (for ros a folder), replacing what is there; returns what was written. CalibrationError."""
    if format_name == "ros":
        return save_ros(path, calibration)
    {"own": save_calibration, "opencv": save_opencv, "kalibr": save_kalibr}[format_name](path, calibration)
    return [path]


def format_of(path: Path) -> str:
    """The name of a file's format by what stands in it; raises CalibrationError where none fits."""
    text = read_text(path, "calibration")
    for name, mark in _MARKS.items():
        if mark in text:
            return name
    if text.lstrip().startswith("%YAML") or "opencv-matrix" in text or "opencv_storage" in text:
        return "opencv"
    if any(line.startswith(("P0:", "P2:", "P_rect", "K_0", "calib_time")) for line in text.splitlines()):
        return "kitti"
    raise CalibrationError(
        lambda option: f"{path} is in no known format; known are {', '.join(READ)}: name it with {option('format')}"
    )


def _files(paths: list[Path]) -> list[Path]:
    if len(paths) == 1 and paths[0].is_dir():
        for names in PAIRED.values():
            pair = [paths[0] / name for name in names]
            if all(path.is_file() for path in pair):
                return pair
        wanted = " nor ".join(" and ".join(names) for names in PAIRED.values())
        raise CalibrationError(f"{paths[0]} holds neither {wanted}", exit_code=os.EX_NOINPUT)
    return paths
