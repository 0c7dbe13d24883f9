"""Stereolabs' ZED: the factory calibration SNxxxx.conf, one section for each camera and image size, lengths in mm."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.files import read_text

from .lens import camera_of
from .raw_rig import RawRig

MM = 1e-3
SIZES = {
    "2K": Size(2208, 1242),
    "FHD": Size(1920, 1080),
    "FHD1200": Size(1920, 1200),
    "HD": Size(1280, 720),
    "SVGA": Size(960, 600),
    "VGA": Size(672, 376),
}


def read_zed(path: Path, size: Size | None = None) -> RawRig:
    """The rig at one of the camera's sizes; raises CalibrationError.

    As Stereolabs' own sample for OpenCV: the rotation is right from left, the line between the cameras is
    (Baseline, TY, TZ) in the right camera's frame.
    """
    conf = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        conf.read_string(read_text(path, "ZED calibration"))
    except configparser.Error as error:
        raise CalibrationError(f"{path}: {str(error).splitlines()[0]}") from None
    modes = {SIZES[mode]: mode for mode in SIZES if conf.has_section(f"LEFT_CAM_{mode}")}
    if size not in modes:
        known = ", ".join(map(str, modes)) or "none"
        raise CalibrationError(
            lambda option: f"{path}: it is for images of {known}: give one with {option('size')}", exit_code=os.EX_USAGE
        )
    mode = modes[size]
    with located(path):
        first, second = (_camera(conf, f"{side}_CAM_{mode}", size) for side in ("LEFT", "RIGHT"))
        angles = [_number(conf, "STEREO", f"{name}_{mode}") for name in ("RX", "CV", "RZ")]
        line_mm = [_number(conf, "STEREO", name, 0.0) for name in ("TY", "TZ")]
        line_mm = [_number(conf, "STEREO", "Baseline"), *line_mm]
        return RawRig(first, second, Pose.from_rotation_vector(angles, -MM * np.array(line_mm)))


def _camera(conf: configparser.ConfigParser, section: str, size: Size) -> CameraModel:
    fx, fy, cx, cy = (_number(conf, section, key) for key in ("fx", "fy", "cx", "cy"))
    lens = [_number(conf, section, key, 0.0) for key in ("k1", "k2", "p1", "p2", "k3")]
    return camera_of(size, pinhole_matrix(fx, fy, cx, cy), "plumb_bob", lens)


def _number(conf: configparser.ConfigParser, section: str, key: str, default: float | None = None) -> float:
    text = conf.get(section, key, fallback=None)
    if text is None and default is not None:
        return default
    try:
        return float(text or "")
    except ValueError:
        raise CalibrationError(
            f"[{section}] {key}: {'is missing' if text is None else f'{text!r} is no number'}"
        ) from None
