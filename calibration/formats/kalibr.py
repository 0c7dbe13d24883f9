"""Kalibr's camchain: two cameras in one YAML file, the second with its pose from the first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from loguru import logger

from roma_device.calibration.camera import CameraModel, pinhole_matrix
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import write_text
from roma_device.calibration.storage.yaml_section import Section, dump_yaml, read_section

from .lens import camera_of, whole_size
from .raw_rig import RawRig
from .refit import refitted

MOST_OFF_PX = 1.0
"""A lens that Kalibr has no model for is refitted; one that no refit comes nearer to than that is refused."""


class KalibrLens(NamedTuple):
    """A camera as Kalibr can have it, and what had to be done for that: "" where nothing."""

    camera: CameraModel
    remark: str


def save_kalibr(path: Path, calibration: StereoCalibration) -> None:
    """Write a camchain; raises CalibrationError for a lens that no model of Kalibr comes near to."""
    lenses = {side: kalibr_lens(getattr(calibration, side)) for side in ("left", "right")}
    remarks = [f"{side} camera: {lens.remark}" for side, lens in lenses.items() if lens.remark]
    for remark in remarks:
        logger.warning("{}: {}", path, remark)
    left, right = (camera_document(lens.camera) for lens in lenses.values())
    right["T_cn_cnm1"] = calibration.right_from_left.matrix.tolist()
    comments = "".join(f"# {remark}\n" for remark in remarks)
    write_text(path, comments + dump_yaml({"cam0": left, "cam1": right}), make_folder=True)


def kalibr_lens(camera: CameraModel) -> KalibrLens:
    """The camera itself, or refitted where Kalibr lacks its model; raises CalibrationError where that is not near."""
    if camera.model == "equidistant" or (camera.model == "plumb_bob" and camera.distortion[4] == 0):
        return KalibrLens(camera, "")
    what = "a third radial coefficient" if camera.model == "plumb_bob" else "the rational model"
    fit = refitted(camera)
    if not fit.greatest_px <= MOST_OFF_PX:
        raise CalibrationError(
            lambda option: (
                f"Kalibr has no lens with {what}, and its nearest one is {fit.greatest_px:.1f} px off; "
                f"calibrate with {option('lens', 'fisheye')}, or export for ros or opencv"
            ),
            exit_code=os.EX_DATAERR,
        )
    name = "radtan" if fit.camera.model == "plumb_bob" else fit.camera.model
    off = f"{fit.rms_px:.3f} px off (RMS over the image), {fit.greatest_px:.3f} px at most"
    return KalibrLens(fit.camera, f"Kalibr has no lens with {what}: refitted as {name}, which is {off}")


def camera_document(camera: CameraModel) -> dict[str, Any]:
    """One camera of a camchain, with a lens that Kalibr has."""
    is_fisheye = camera.model == "equidistant"
    return {
        "camera_model": "pinhole",
        "intrinsics": [camera.fx, camera.fy, camera.cx, camera.cy],
        "distortion_model": "equidistant" if is_fisheye else "radtan",
        "distortion_coeffs": camera.distortion[:4].tolist(),
        "resolution": list(camera.size),
        "rostopic": "",
    }


def read_kalibr(path: Path) -> RawRig:
    """Read the first two cameras of a camchain; raises CalibrationError with file, line and key.

    Their poses are the second's from the first (``T_cn_cnm1``), or both to the IMU (``T_cam_imu``, OpenVINS'
    ``T_imu_cam``).
    """
    top = read_section(path, "camchain", CalibrationError)
    sections = top.section("cam0"), top.section("cam1")
    pose = _second_from_first(*sections)
    first, second = (_camera(section, path) for section in sections)
    return RawRig(first, second, pose)


def _second_from_first(first: Section, second: Section) -> Pose:
    if "T_cn_cnm1" not in second.untaken():
        for key in ("T_cam_imu", "T_imu_cam"):
            if key in first.untaken() and key in second.untaken():
                one, other = (_pose(section, key) for section in (first, second))
                return other @ one.inverse() if key == "T_cam_imu" else other.inverse() @ one
    return _pose(second, "T_cn_cnm1")


def _pose(section: Section, key: str) -> Pose:
    matrix = np.array(section.matrix(key, 4, 4))
    return Pose.from_rounded(matrix[:3, :3], matrix[:3, 3])


def _camera(section: Section, path: Path) -> CameraModel:
    section.choice("camera_model", ("pinhole",))
    name = section.text("distortion_model")
    fx, fy, cx, cy = section.numbers("intrinsics", 4)
    width, height = section.numbers("resolution", 2)
    coefficients = section.numbers("distortion_coeffs")
    with located(path):
        return camera_of(whole_size(width, height), pinhole_matrix(fx, fy, cx, cy), name, coefficients)
