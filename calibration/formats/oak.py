"""Luxonis OAK: the eeprom's calibration as DepthAI saves it in JSON, lengths in cm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.files import read_json

from .lens import camera_of, whole_size
from .raw_rig import RawRig

CM = 1e-2
FISHEYE_TYPE = 1
LEFT_SOCKET, RIGHT_SOCKET = 1, 2  # where stereoRectificationData does not say otherwise


def read_oak(path: Path) -> RawRig:
    """The left and the right camera; raises CalibrationError."""
    document = read_json(path, "OAK calibration")
    try:
        cameras = _cameras(document)
        stereo = document.get("stereoRectificationData") or {}
        left, right = stereo.get("leftCameraSocket", LEFT_SOCKET), stereo.get("rightCameraSocket", RIGHT_SOCKET)
        if not {left, right} <= set(cameras):
            left, right = LEFT_SOCKET, RIGHT_SOCKET
        with located(path):
            pose = _right_from_left(cameras, left, right)
            return RawRig(_camera(cameras[left]), _camera(cameras[right]), pose)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CalibrationError(f"{path}: not as DepthAI writes an eeprom's calibration: {why}") from None


def _cameras(document: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """By socket; written as pairs, or as a mapping."""
    data = document["cameraData"]
    return {int(socket): camera for socket, camera in (data.items() if isinstance(data, dict) else data)}


def _chain(cameras: dict[int, dict[str, Any]], socket: int) -> dict[int, Pose]:
    """Pose socket_from_camera for each socket that ``toCameraSocket`` leads to, the camera's own first."""
    chain, pose = {}, Pose.identity()
    while socket in cameras and socket not in chain:
        chain[socket] = pose
        extrinsics = cameras[socket].get("extrinsics") or {}
        socket = int(extrinsics.get("toCameraSocket", -1))
        if socket in cameras:
            shift_m = [float(extrinsics["translation"][axis]) * CM for axis in "xyz"]
            pose = Pose.from_rounded(extrinsics["rotationMatrix"], shift_m) @ pose
    return chain


def _right_from_left(cameras: dict[int, dict[str, Any]], left: int, right: int) -> Pose:
    one, other = _chain(cameras, left), _chain(cameras, right)
    common = next((socket for socket in one if socket in other), None)
    if common is None:
        raise CalibrationError(f"extrinsics: the cameras at sockets {left} and {right} are not connected")
    return other[common].inverse() @ one[common]


def _camera(data: dict[str, Any]) -> CameraModel:
    name = "fisheye" if int(data.get("cameraType", 0)) == FISHEYE_TYPE else "perspective"
    matrix = np.array(data["intrinsicMatrix"], np.float64).reshape(3, 3)
    return camera_of(whole_size(float(data["width"]), float(data["height"])), matrix, name, data["distortionCoeff"])
