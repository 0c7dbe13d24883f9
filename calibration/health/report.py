"""Decalibration of a rig: extrinsic angles by a robust fit of epipolar residuals, and depth by known distances.

A rotation of the right camera by small angles about its axes moves its rectified image by
``dy = f (roll x - pitch (1 + y^2) + yaw x y)`` and ``dx = f (yaw (1 + x^2) - roll y - pitch x y)`` with x, y in
focal lengths from the principal point; a shift of it downwards adds ``dy = disparity * shift / baseline``. Yaw hardly
shows in the rows, and is what falsifies depth: only something of known size or distance shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.calibration.rig import StereoCalibration

from .row_matches import RowMatches

LEAST_MATCHES = 40
PRIOR_DEG, PRIOR_SHIFT = 0.5, 0.01
"""What knocks do: angles of half a degree, shifts of a hundredth of the baseline. Keeps apart what looks alike."""

SYSTEMATIC_DEG = 0.006
"""Angles are never taken for surer than this: lenses are not known better."""


@dataclass(frozen=True, slots=True)
class Angle:
    """An angle of the right camera since its calibration, with half the width of its 95 % interval."""

    degrees: float
    margin: float

    @property
    def is_significant(self) -> bool:
        return abs(self.degrees) > 1.5 * self.margin


@dataclass(frozen=True, slots=True)
class RowHealth:
    """Decalibration by epipolar residuals; lengths in px are those of the rectified image at camera resolution."""

    matches: int
    median_px: float  # median of the absolute vertical residual
    explained_px: float  # 90th percentile over the points of what roll, pitch and shift explain
    roll: Angle
    pitch: Angle
    shift_mm: float  # of the right camera, downwards


def row_health(matches: RowMatches, rig: RectifiedRig) -> RowHealth:
    """Split epipolar residuals into roll, pitch and shift, robustly; raises CalibrationError for too few points."""
    if len(matches) < LEAST_MATCHES:
        raise CalibrationError(
            f"{len(matches)} points are matched between left and right, at least {LEAST_MATCHES} are needed: "
            "look at a scene with more texture, and check that left and right are what they should be"
        )
    focal_px = rig.focal_px or 0.8 * rig.size[0]
    x, y = ((matches.right - [rig.cx, rig.cy]) / focal_px).T
    jacobian = np.column_stack([focal_px * x, -focal_px * (1 + y**2), matches.disparity_px])
    prior = np.array([np.deg2rad(PRIOR_DEG), np.deg2rad(PRIOR_DEG), PRIOR_SHIFT])
    values, sigma = _robust_fit(jacobian, matches.vertical_px, prior)
    margins = np.hypot(1.96 * np.rad2deg(sigma[:2]), SYSTEMATIC_DEG)
    roll, pitch = (
        Angle(float(np.rad2deg(value)), float(margin)) for value, margin in zip(values[:2], margins, strict=True)
    )
    explained = np.abs(jacobian @ values)
    return RowHealth(
        len(matches),
        float(np.median(np.abs(matches.vertical_px))),
        float(np.percentile(explained, 90)),
        roll,
        pitch,
        float(values[2] * (rig.baseline_m or 0.0) * 1000),
    )


def _robust_fit(jacobian: FloatArray, seen: FloatArray, prior: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Iteratively reweighted least squares (Cauchy loss) with a prior: values and their sigmas."""
    values = np.zeros(jacobian.shape[1])
    values[1] = float(np.median(seen)) / float(np.median(jacobian[:, 1]))
    information = np.eye(len(values))
    for _ in range(25):
        rest = seen - jacobian @ values
        scale = max(1.4826 * float(np.median(np.abs(rest))), 0.02)
        weights = 1 / (1 + (rest / (2 * scale)) ** 2) / scale**2
        information = jacobian.T @ (jacobian * weights[:, None]) + np.diag(prior**-2)
        values = np.linalg.solve(information, jacobian.T @ (weights * seen))
    return values, np.sqrt(np.diag(np.linalg.inv(information)))


@dataclass(frozen=True, slots=True)
class DepthHealth:
    """Depth error by something of known size or distance."""

    source: str  # "board" or "distance"
    distance_m: float  # where it was
    error_percent: float  # measured depth over true depth, minus one
    disparity_px: float  # true disparity minus measured: what has to be added
    yaw: Angle  # the rotation of the right camera that would explain it
    samples: int


def depth_health(
    source: str, rig: RectifiedRig, measured_m: FloatArray, true_m: FloatArray, column_px: FloatArray
) -> DepthHealth:
    """Depth error and the yaw that explains it, from depths (N,) and rectified right columns (N,) of the points."""
    focal_px, baseline_m = rig.focal_px or 1.0, rig.baseline_m or 1.0
    lacking = focal_px * baseline_m * (1 / true_m - 1 / measured_m)
    x = (column_px - rig.cx) / focal_px
    yaws = np.rad2deg(lacking / (focal_px * (1 + x**2)))
    spread = 1.4826 * float(np.median(np.abs(yaws - np.median(yaws))))
    margin = float(np.hypot(1.96 * spread / np.sqrt(len(yaws)), 2 * SYSTEMATIC_DEG))
    return DepthHealth(
        source,
        float(np.median(true_m)),
        float(100 * np.median(measured_m / true_m - 1)),
        float(np.median(lacking)),
        Angle(float(np.median(yaws)), margin),
        len(yaws),
    )


def corrected(calibration: StereoCalibration, roll_deg: float, pitch_deg: float, yaw_deg: float) -> StereoCalibration:
    """Corrected extrinsics: the right camera rotated by what was found, in the rectified frame."""
    rotation = Rectification.from_calibration(calibration).right_rotation
    assert rotation is not None
    vector = np.deg2rad([pitch_deg, yaw_deg, roll_deg])
    found = np.asarray(cv2.Rodrigues(vector)[0])
    moved = Pose(rotation.T @ found @ rotation, np.zeros(3)) @ calibration.right_from_left
    return replace(calibration, right_from_left=moved)
