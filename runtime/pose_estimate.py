"""What odometry says of one frame: a pose with its covariance, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose, skew

BODY_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def body_pose(optical: Pose) -> Pose:
    """The same motion between body frames that sit at the origins of the optical ones."""
    rotation = BODY_FROM_OPTICAL
    return Pose(rotation @ optical.rotation @ rotation.T, rotation @ optical.translation_m)


def optical_pose(body: Pose) -> Pose:
    """The inverse of ``body_pose``."""
    rotation = BODY_FROM_OPTICAL.T
    return Pose(rotation @ body.rotation @ rotation.T, rotation @ body.translation_m)


def body_covariance(optical: FloatArray) -> FloatArray:
    """A covariance (6, 6) of position and rotation vector along optical axes, along those of a body."""
    rotation = np.kron(np.eye(2), BODY_FROM_OPTICAL)
    return np.asarray(rotation @ optical @ rotation.T)


PoseState = Literal["ok", "degraded", "lost"]


@dataclass(frozen=True, slots=True, eq=False)
class PoseEstimate:
    """The rig at one instant.

    ``odom_from_camera`` follows REP 103 and 105: x forward, y left, z up, metres. ``odom`` is where the run's first
    frame was taken and drifts slowly; ``camera`` sits at the left camera's centre and is aligned with the rectified
    image. It is None when the state is lost. A new ``segment`` begins where the motion in between is not known: it
    goes on from the last pose that was.
    """

    timestamp_ns: int
    state: PoseState
    reasons: tuple[str, ...]  # what is wrong, none when all is well
    segment: int  # from 1 on
    odom_from_camera: Pose | None = None
    covariance: FloatArray | None = None  # (6, 6) of position (m), then rotation vector (rad), along the axes of odom
    inliers: int = 0  # points that agree with the motion
    inlier_ratio: float = 0.0  # of the points that were followed
    is_keyframe: bool = False

    def as_json(self) -> dict[str, Any]:
        """For JSON: plain numbers, None for what is not known."""
        pose, covariance = self.odom_from_camera, self.covariance
        return {
            "state": self.state,
            "reasons": list(self.reasons),
            "segment": self.segment,
            "position_m": None if pose is None else _rounded(pose.translation_m),
            "quaternion_xyzw": None if pose is None else _rounded(pose.quaternion),
            "position_sigma_m": None if covariance is None else _rounded(np.sqrt(np.diag(covariance)[:3])),
            "rotation_sigma_rad": None if covariance is None else _rounded(np.sqrt(np.diag(covariance)[3:])),
            "inliers": self.inliers,
            "inlier_ratio": round(self.inlier_ratio, 3),
        }


def _rounded(values: FloatArray) -> list[float]:
    return [round(float(value), 7) for value in values]


def composed_covariance(
    first: Pose, first_covariance: FloatArray, second: Pose, second_covariance: FloatArray
) -> FloatArray:
    """Covariance (6, 6) of ``first @ second``: position, then rotation vector, along the axes of the first's target.

    Each covariance is along the axes of its own pose's target frame, and the two errors are independent.
    """
    arm = first.rotation @ second.translation_m
    by_first, by_second = np.eye(6), np.zeros((6, 6))
    by_first[:3, 3:] = -skew(arm)
    by_second[:3, :3] = by_second[3:, 3:] = first.rotation
    return np.asarray(by_first @ first_covariance @ by_first.T + by_second @ second_covariance @ by_second.T)


def inverse_covariance(pose: Pose, covariance: FloatArray) -> FloatArray:
    """Covariance (6, 6) of ``pose.inverse()``, along the axes of the pose's source frame."""
    change = np.zeros((6, 6))
    change[:3, :3] = change[3:, 3:] = -pose.rotation.T
    change[:3, 3:] = -pose.rotation.T @ skew(pose.translation_m)
    return np.asarray(change @ covariance @ change.T)
