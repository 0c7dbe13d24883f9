"""Between optical frames (x right, y down, z forward) and those of a body (x forward, y left, z up): REP 103."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose

BODY_FROM_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def body_pose(optical: Pose) -> Pose:
    """The same motion between body frames that sit at the origins of the optical ones."""
    turn = BODY_FROM_OPTICAL
    return Pose(turn @ optical.rotation @ turn.T, turn @ optical.translation_m)


def optical_pose(body: Pose) -> Pose:
    """The inverse of ``body_pose``."""
    turn = BODY_FROM_OPTICAL.T
    return Pose(turn @ body.rotation @ turn.T, turn @ body.translation_m)


def body_covariance(optical: FloatArray) -> FloatArray:
    """A covariance (6, 6) of position and rotation vector along optical axes, along those of a body."""
    turn = np.kron(np.eye(2), BODY_FROM_OPTICAL)
    return np.asarray(turn @ optical @ turn.T)
