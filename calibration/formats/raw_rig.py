"""A rig as a file has it: not yet judged, its cameras perhaps in the other order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration


class RawRig(NamedTuple):
    """Two cameras and the pose of the first in the frame of the second."""

    first: CameraModel
    second: CameraModel
    second_from_first: Pose

    def calibration(self, swap: bool = False, metres_per_unit: float = 1.0) -> StereoCalibration:
        """The rig with the first camera on the left, on the right for ``swap``; raises CalibrationError."""
        left, right, pose = self.first, self.second, self.second_from_first
        if swap:
            left, right, pose = right, left, pose.inverse()
            if pose.translation_m[0] > max(0, np.abs(pose.translation_m[1:]).max()):
                raise CalibrationError(
                    "by this file its first camera is the left one already: import it without exchanging the cameras "
                    "(no --swap)"
                )
        return StereoCalibration(left, right, Pose(pose.rotation, pose.translation_m * metres_per_unit))


def rectified_pose(projections: list[FloatArray]) -> FloatArray:
    """Translation (3,) from the first to the second rectified frame by their P (3, 4) = K [I | t]."""
    first, second = (np.linalg.solve(matrix[:, :3], matrix[:, 3]) for matrix in projections)
    return np.asarray(second - first)
