"""Middlebury: calib.txt of the 2014 and later stereo sets, for pairs that are rectified."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.files import read_text

from .lens import whole_size
from .number_lines import number_lines, numbers_of
from .raw_rig import RawRig

MM = 1e-3
MOST_DOFFS_APART_PX = 1.0


def read_middlebury(path: Path) -> RawRig:
    """``cam0``, ``cam1``, ``baseline`` (mm), ``width`` and ``height``; raises CalibrationError."""
    lines = number_lines(read_text(path, "Middlebury calibration"), "=")
    width, height = (float(numbers_of(lines, name, 1, path)[0]) for name in ("width", "height"))
    with located(path):
        size = whole_size(width, height)
    first, second = (
        CameraModel(size, numbers_of(lines, name, 9, path).reshape(3, 3), np.zeros(5)) for name in ("cam0", "cam1")
    )
    if "doffs" in lines and abs(lines["doffs"][0] - (second.cx - first.cx)) > MOST_DOFFS_APART_PX:
        raise CalibrationError(
            f"{path}: doffs is {lines['doffs'][0]:g} px, but the principal points of cam0 and cam1 are "
            f"{second.cx - first.cx:g} px apart: one of them is of another image size, or has another sign"
        )
    baseline_m = float(numbers_of(lines, "baseline", 1, path)[0]) * MM
    return RawRig(first, second, Pose(np.eye(3), np.array([-baseline_m, 0.0, 0.0])))
