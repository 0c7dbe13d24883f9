"""Karlsruhe sequences (Geiger et al., 2010-2011): I1_*.png and I2_*.png, calib.txt, insdata.txt.

Each line of insdata.txt holds the time in ns, latitude, longitude, altitude, x to the east, y to the north, altitude
again, roll, pitch and yaw of a GPS/IMU unit whose pose in the car is not given. Positions alone are used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roma_device.app.cameras.images import read_image
from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.odometry.read import Trajectory, check_times, numbered_rows, table
from roma_device.calibration.arrays import Size
from roma_device.calibration.formats.datasets import number_lines, numbers_of
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig
from roma_device.calibration.storage.files import read_text

from . import Clip

COLUMNS = 10
EAST, NORTH, ALTITUDE = 4, 5, 3


class Karlsruhe:
    """The layout; without state."""

    def fits(self, folder: Path) -> bool:
        return (folder / "insdata.txt").is_file() and (folder / "calib.txt").is_file()

    def open(self, folder: Path) -> Clip:
        left, right = (tuple(sorted(folder.glob(f"I{side}_*.png"))) for side in (1, 2))
        if not left or [path.name[2:] for path in left] != [path.name[2:] for path in right]:
            raise EvaluationError(f"{folder}: I1_*.png and I2_*.png are not pairs")
        times_ns, reference = _ins(folder / "insdata.txt", len(left))
        height, width = read_image(left[0]).shape[:2]
        rig = _rig(folder / "calib.txt", Size(width, height))
        return Clip(rig, tuple(zip(left, right, strict=True)), times_ns, reference)


def _rig(path: Path, size: Size) -> RectifiedRig:
    lines = number_lines(read_text(path, "calibration"), ":")
    left, right = (numbers_of(lines, f"P{side}_roi", 12, path).reshape(3, 4) for side in (1, 2))
    baseline_m = (left[0, 3] - right[0, 3]) / left[0, 0]
    return RectifiedRig(size, left[0, 0], baseline_m, left[0, 2], left[1, 2], right[0, 2] - left[0, 2])


def _ins(path: Path, count: int) -> tuple[tuple[int, ...], Trajectory]:
    """Line n belongs to pair n."""
    rows = numbered_rows(path)
    if len(rows) < count:
        raise EvaluationError(f"{path}: {len(rows)} lines for {count} pairs")
    numbers = table(path, rows[:count], COLUMNS)
    times_ns = tuple(int(words[0]) for _, words in rows[:count])  # more digits than a float has
    times_s = np.array([time_ns - times_ns[0] for time_ns in times_ns]) / 1e9
    check_times(path, [line for line, _ in rows[:count]], times_s)
    poses = tuple(Pose(np.eye(3), row[[EAST, NORTH, ALTITUDE]]) for row in numbers)
    return times_ns, Trajectory(str(path), poses, times_s, is_oriented=False)


KARLSRUHE = Karlsruhe()
