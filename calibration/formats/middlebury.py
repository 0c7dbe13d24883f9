"""Middlebury: calib.txt of the 2014 and later stereo sets, for pairs that are rectified."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.size import Size
from roma_device.calibration.storage.text_file import read_text

from .number_lines import number_lines, numbers_of

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
