"""What is found on the ground: plane, occupancy grid, laser scan, nearest obstacle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatArray, FloatImage

UNKNOWN, FREE, OCCUPIED = -1, 0, 100
"""States of a cell, as in ROS's nav_msgs/OccupancyGrid."""

GridCells = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class GroundPlane:
    """The ground in the rectified left optical frame (x right, y down, z forward): ``up @ point + height_m == 0``."""

    up: FloatArray  # (3,) unit normal, away from the ground
    height_m: float  # of the camera above it
    support: float  # share of the looked at points that lie on it

    @property
    def pitch_deg(self) -> float:
        """How far the camera looks down."""
        return float(np.degrees(np.arcsin(np.clip(-self.up[2], -1, 1))))

    @property
    def roll_deg(self) -> float:
        """How far its right side hangs down."""
        return float(np.degrees(np.arctan2(-self.up[0], -self.up[1])))

    @property
    def axes(self) -> FloatArray:
        """(3, 3): rows are forward on the ground, right, and up, in the camera's frame."""
        forward = np.array([0.0, 0.0, 1.0]) - self.up[2] * self.up
        forward /= np.linalg.norm(forward)
        return np.stack([forward, np.cross(forward, self.up), self.up])


@dataclass(frozen=True, slots=True)
class NearestObstacle:
    """What is first in the way within the corridor."""

    distance_m: float  # along the ground from the camera
    certainty: float  # mean of the matches' certainty on it, in [0, 1]
    offset_m: float  # to the right of the camera
    height_m: float  # of its highest seen point


@dataclass(frozen=True, slots=True, eq=False)
class ObstacleMap:
    """Obstacles of one frame; without a ground plane all is unknown."""

    ground: GroundPlane | None
    grid: GridCells  # (forward, sideways): row 0 at the camera, first column left; UNKNOWN, FREE, OCCUPIED
    cell_m: float
    scan_m: FloatImage  # (N,) distance on the ground by direction; inf: only ground was seen; NaN: unknown
    scan_rad: FloatImage  # (N,) direction, to the left positive (REP 103), from left to right
    nearest: NearestObstacle | None
    clear_m: float  # so far the whole corridor is seen to be free from where its ground comes into view

    def as_json(self) -> dict[str, Any]:
        """For JSON, None where nothing is known."""
        ground, nearest = self.ground, self.nearest
        return {
            "ground": None
            if ground is None
            else {
                "height_m": round(ground.height_m, 4),
                "pitch_deg": round(ground.pitch_deg, 3),
                "roll_deg": round(ground.roll_deg, 3),
                "support": round(ground.support, 3),
            },
            "nearest_m": None if nearest is None else round(nearest.distance_m, 3),
            "nearest_certainty": None if nearest is None else round(nearest.certainty, 3),
            "nearest_offset_m": None if nearest is None else round(nearest.offset_m, 3),
            "nearest_height_m": None if nearest is None else round(nearest.height_m, 3),
            "clear_m": round(self.clear_m, 3),
            "occupied_cells": int((self.grid == OCCUPIED).sum()),
            "free_cells": int((self.grid == FREE).sum()),
        }
