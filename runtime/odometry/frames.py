"""Coordinate frames (REP 103): optical (x right, y down, z forward) to body (x forward, y left, z up) and back."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose

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
