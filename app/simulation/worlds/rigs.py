"""Virtual stereo rigs: intrinsics of three lens models, extrinsics, and decalibration by a knock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel, DistortionModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration

AXES = {"pitch": 0, "yaw": 1, "roll": 2}
"""Rotations of a camera about its x, y and z axis."""

LENSES: dict[str, tuple[DistortionModel, float, tuple[list[float], list[float]]]] = {
    "plumb_bob": (
        "plumb_bob",
        0.75,
        ([-0.142, 0.036, 4e-4, -3e-4, 0.0], [-0.136, 0.033, -3e-4, 5e-4, 0.0]),
    ),
    "rational": (
        "rational_polynomial",
        0.62,
        ([0.32, -0.04, 3e-4, -2e-4, 0.002, 0.66, 0.02, 0.004], [0.33, -0.03, -2e-4, 4e-4, 0.001, 0.68, 0.03, 0.003]),
    ),
    "fisheye": ("equidistant", 0.45, ([0.02, -0.011, 0.003, -0.001], [0.024, -0.013, 0.004, -0.001])),
}
"""Name -> distortion model, focal length in image widths, coefficients of the left and the right lens."""


def virtual_rig(size: Size, lens: str = "plumb_bob", variant: int = 0) -> StereoCalibration:
    """A rig as one comes from the factory: lenses that differ a little, cameras that are not quite parallel.

    12 cm apart; ``size`` is (width, height) in px. Every ``variant`` but 0 shakes all figures a little.
    """
    width, height = size
    model, focal, distortions = LENSES[lens]
    rng = np.random.default_rng((variant, 4))
    shake = rng.normal(0, 1, 14) if variant else np.zeros(14)

    def camera(fx: float, fy: float, shift: tuple[float, float], distortion: list[float]) -> CameraModel:
        cx, cy = (width - 1) / 2 + shift[0] * width, (height - 1) / 2 + shift[1] * width
        matrix = np.array([[fx * width, 0, cx], [0, fy * width, cy], [0, 0, 1]])
        return CameraModel(size, matrix, np.array(distortion), model)

    scale, shift = focal / 0.75 * (1 + 0.01 * shake[:2]), 0.004 * shake[2:6]
    left = camera(0.7500 * scale[0], 0.7494 * scale[0], (0.006 + shift[0], -0.004 + shift[1]), distortions[0])
    right = camera(0.7531 * scale[1], 0.7527 * scale[1], (-0.005 + shift[2], 0.003 + shift[3]), distortions[1])
    right_from_left = Pose.from_rotation_vector(
        np.array([0.004, -0.011, 0.006]) + 0.006 * shake[6:9],
        np.array([-0.12, 0.0012, -0.0009]) + np.array([0.004, 0.001, 0.001]) * shake[9:12],
    )
    return StereoCalibration(left, right, right_from_left, serial="simulated")


def bumped(rig: StereoCalibration, axis: str, angle_deg: float) -> StereoCalibration:
    """Decalibrated rig: its right camera was rotated about its own ``axis`` (roll, pitch or yaw)."""
    vector = np.zeros(3)
    vector[AXES[axis]] = np.deg2rad(angle_deg)
    return replace(rig, right_from_left=Pose.from_rotation_vector(vector, np.zeros(3)) @ rig.right_from_left)


def half_view_rad(camera: CameraModel) -> tuple[float, float]:
    """Half angles of view along x and y, to the nearer edge."""
    width, height = camera.size
    edges = camera.unproject([[0, camera.cy], [width - 1, camera.cy], [camera.cx, 0], [camera.cx, height - 1]])
    tangents = np.abs(edges[[0, 1, 2, 3], [0, 0, 1, 1]])
    return float(np.arctan(tangents[:2].min())), float(np.arctan(tangents[2:].min()))
