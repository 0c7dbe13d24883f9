"""Projection with its Jacobian by point and intrinsics, for all distortion models alike."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.camera import COEFFICIENTS, CameraModel, DistortionModel

PINHOLE = 4
"""fx, fy, cx, cy come first in a vector of intrinsics, then the distortion."""


class Projected(NamedTuple):
    """Projected pixels and their Jacobians."""

    pixels: FloatArray  # (N, 2)
    by_point: FloatArray  # (N, 2, 3) px per m in the camera's frame
    by_intrinsics: FloatArray  # (N, 2, 4 + distortion)


def intrinsics_of(camera: CameraModel) -> FloatArray:
    """Intrinsics of a camera as a vector (4 + distortion,)."""
    return np.concatenate([[camera.fx, camera.fy, camera.cx, camera.cy], camera.distortion])


def camera_of(intrinsics: FloatArray, size: Size, model: DistortionModel) -> CameraModel:
    """The camera of such a vector; raises CalibrationError where the values describe none."""
    return CameraModel(size, _matrix(intrinsics), intrinsics[PINHOLE:], model)


def start_intrinsics(size: Size, focal_px: float, model: DistortionModel) -> FloatArray:
    """Initial intrinsics: no distortion, principal point in the middle of the image."""
    middle = [(size[0] - 1) / 2, (size[1] - 1) / 2]
    return np.array([focal_px, focal_px, *middle, *np.zeros(COEFFICIENTS[model])])


def project(model: DistortionModel, intrinsics: FloatArray, points_m: FloatArray) -> Projected:
    """Project points (N, 3) in the camera's frame, all with z > 0."""
    matrix, distortion, zero = _matrix(intrinsics), intrinsics[PINHOLE:], np.zeros(3)
    points = np.ascontiguousarray(points_m).reshape(-1, 1, 3)
    if model == "equidistant":
        pixels, jacobian = cv2.fisheye.projectPoints(points, zero, zero, matrix, distortion)
        by_point, inner = jacobian[:, 11:14], jacobian[:, :8]
    else:
        pixels, jacobian = cv2.projectPoints(points, zero, zero, matrix, distortion)[:2]
        by_point, inner = jacobian[:, 3:6], jacobian[:, 6 : 6 + len(intrinsics)]
    return Projected(
        np.asarray(pixels, np.float64).reshape(-1, 2), by_point.reshape(-1, 2, 3), inner.reshape(-1, 2, len(intrinsics))
    )


def _matrix(intrinsics: FloatArray) -> FloatArray:
    fx, fy, cx, cy = intrinsics[:PINHOLE].tolist()
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
