"""Trajectories of a simulated rig: smooth, with known poses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose

RATES = np.array([1.0, 1.7, 0.6])
"""Swings per period along x, y and z: not multiples of each other, so the path repeats late."""


class Path(Protocol):
    """Trajectory of a rig's left camera."""

    @property
    def centre_m(self) -> FloatArray:
        """A place (3,) in the world that the way stays near to."""

    def world_from_camera(self, time_s: float) -> Pose:
        """Pose of the left optical frame at a time since the start."""


@dataclass(frozen=True, slots=True, eq=False)
class SwayingPath:
    """Trajectory of a camera that sways around a place and looks at a point that sways as well.

    Both are sums of sines, so position, speed and acceleration are smooth.
    """

    centre_m: FloatArray  # (3,) world
    sway_m: FloatArray  # (3,) amplitude
    target_m: FloatArray  # (3,) world
    target_sway_m: FloatArray  # (3,) amplitude
    roll_rad: float
    period_s: float
    phase_rad: FloatArray  # (3,)

    def world_from_camera(self, time_s: float) -> Pose:
        """Pose of the left optical frame at a time since the start."""
        angle = 2 * np.pi * RATES * time_s / self.period_s + self.phase_rad
        position = self.centre_m + self.sway_m * np.sin(angle)
        target = self.target_m + self.target_sway_m * np.cos(0.8 * angle)
        return look_at(position, target, self.roll_rad * float(np.sin(1.3 * angle[0])))


def look_at(position_m: FloatArray, target_m: FloatArray, roll_rad: float) -> Pose:
    """World from an optical frame at a position whose z axis meets the target; y points down (+y)."""
    z_axis = (target_m - position_m) / np.linalg.norm(target_m - position_m)
    x_axis = np.cross([0.0, 1.0, 0.0], z_axis)
    x_axis /= np.linalg.norm(x_axis)
    level = np.column_stack([x_axis, np.cross(z_axis, x_axis), z_axis])
    roll = Pose.from_rotation_vector([0, 0, roll_rad], np.zeros(3)).rotation
    return Pose(level @ roll, position_m)
