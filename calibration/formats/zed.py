"""Stereolabs' ZED: the factory calibration SNxxxx.conf, one section for each camera and image size, lengths in mm."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import numpy as np
from loguru import logger

from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.files import read_text

from .lens import camera_of
from .raw_rig import RawRig

MM = 1e-3
SIZES = {
    "4K": Size(3840, 2160),
    "QHDPLUS": Size(3200, 1800),
    "2K": Size(2208, 1242),
    "FHD": Size(1920, 1080),
    "FHD1200": Size(1920, 1200),
    "HD": Size(1280, 720),
    "SVGA": Size(960, 600),
    "VGA": Size(672, 376),
}


OWN_LENS = ("k1", "k2", "p1", "p2", "k3")
RATIONAL_LENS = (*OWN_LENS, "k4", "k5", "k6")


def read_zed(path: Path, size: Size | None = None) -> RawRig:
    """The rig at one of the camera's sizes; raises CalibrationError.

    As Stereolabs' own calibration tool writes it: (RX, CV, RZ) is the rotation right from left as a vector in rad,
    (-Baseline, TY, TZ) the translation. Each may stand there once, or for each size.
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
        angles = [_stereo(conf, name, mode) for name in ("RX", "CV", "RZ")]
        shift_mm = [-_stereo(conf, "Baseline", mode), _stereo(conf, "TY", mode, 0.0), _stereo(conf, "TZ", mode, 0.0)]
        return RawRig(first, second, Pose.from_rotation_vector(angles, MM * np.array(shift_mm)))


def _stereo(conf: configparser.ConfigParser, name: str, mode: str, default: float | None = None) -> float:
    key = f"{name}_{mode}"
    return _number(conf, "STEREO", key if conf.has_option("STEREO", key) else name, default)


def _camera(conf: configparser.ConfigParser, section: str, size: Size) -> CameraModel:
    fx, fy, cx, cy = (_number(conf, section, key) for key in ("fx", "fy", "cx", "cy"))
    name, lens = _lens(conf, section)
    return camera_of(size, pinhole_matrix(fx, fy, cx, cy), name, lens)


def _lens(conf: configparser.ConfigParser, section: str) -> tuple[str, list[float]]:
    """The rational lens of ``[LEFT_DISTO]``, which holds for all sizes, where it is there, else the section's own."""
    apart = f"{section.partition('_')[0]}_DISTO"
    if not conf.has_section(apart):
        return "plumb_bob", [_number(conf, section, key, 0.0) for key in OWN_LENS]
    lens = {key: _number(conf, apart, key, 0.0) for key in RATIONAL_LENS}
    if lens["k4"] and not any(lens[key] for key in ("p1", "p2", "k5", "k6")):
        logger.warning("[{}]: four coefficients alone are taken for those of a fisheye lens", apart)
        return "equidistant", [lens[f"k{number}"] for number in range(1, 5)]
    return "rational_polynomial", list(lens.values())


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
