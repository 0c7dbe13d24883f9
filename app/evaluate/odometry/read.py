"""Trajectories read from files: TUM, KITTI, and the INS of the Karlsruhe sequences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.calibration.arrays import FloatArray, IntArray
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.files import read_text

from .stamped import MOST_TRAJECTORY_BYTES, is_scalar_first, stamped_poses

COLUMNS = {8: "tum", 12: "kitti", 17: "euroc"}
"""Numbers in a line -> format."""

FARTHEST_M = 1e8


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """Poses world_from_sensor in the order of time."""

    source: str
    poses: tuple[Pose, ...]
    times_s: FloatArray | None  # (N,) strictly increasing; None where the format has none
    is_oriented: bool = True  # False: positions alone are to be trusted

    @property
    def positions_m(self) -> FloatArray:
        """(N, 3)."""
        return np.array([pose.translation_m for pose in self.poses])

    def chosen(self, indices: IntArray) -> Trajectory:
        times_s = None if self.times_s is None else self.times_s[indices]
        return Trajectory(self.source, tuple(self.poses[index] for index in indices), times_s, self.is_oriented)


def read_trajectory(path: Path) -> Trajectory:
    """A TUM file (8 numbers a line), a KITTI file (12) or EuRoC's csv (17); raises EvaluationError with file and line.

    Lines with a time that cannot be used are left out with a warning, unless they are many. A KITTI file counts by its
    lines, so one bad line makes it useless.
    """
    rows = numbered_rows(path)
    width = Counter(len(words) for _, words in rows).most_common(1)[0][0]
    if width not in COLUMNS:
        raise EvaluationError(
            f"{path}:{rows[0][0]}: {width} numbers: a TUM trajectory has 8 in each line, a KITTI one has 12"
        )
    if width == 12:
        found = _kitti(path, [line for line, _ in rows], table(path, rows, width))
    else:
        poses, times_s = stamped_poses(path, rows, width, is_scalar_first(path, width))
        found = Trajectory(str(path), tuple(poses), times_s)
    if (far_m := float(np.abs(found.positions_m).max())) > FARTHEST_M:
        raise EvaluationError(f"{path}: a position is {far_m:.3g} m away: a trajectory is in metres, and on Earth")
    return found


def numbered_rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, words) of each line that is neither empty nor a remark; raises EvaluationError where none is."""
    lines = read_text(path, "trajectory", EvaluationError, MOST_TRAJECTORY_BYTES).splitlines()
    rows = [(number, line.replace(",", " ").split()) for number, line in enumerate(lines, start=1)]
    rows = [(number, words) for number, words in rows if words and not words[0].startswith("#")]
    if rows and not is_number(rows[0][1][0]) and all(not is_number(word) for word in rows[0][1]):
        rows = rows[1:]  # the names of the columns
    if len(rows) < 2:
        raise EvaluationError(f"{path}: a trajectory needs two poses at least, this one has {len(rows)}")
    return rows


def table(path: Path, rows: list[tuple[int, list[str]]], width: int) -> FloatArray:
    """(N, width) finite numbers; raises EvaluationError naming the line."""
    values = np.empty((len(rows), width))
    for row, (line, words) in zip(values, rows, strict=True):
        if len(words) != width:
            raise EvaluationError(f"{path}:{line}: {len(words)} numbers, the lines before have {width}")
        try:
            row[:] = [float(word) for word in words]
        except ValueError:
            raise EvaluationError(f"{path}:{line}: not a line of numbers") from None
        if not np.isfinite(row).all():
            raise EvaluationError(f"{path}:{line}: a number is not finite")
    return values


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def check_times(path: Path, lines: list[int], times_s: FloatArray) -> None:
    """Raises EvaluationError where a time is not after the one before."""
    for index in np.flatnonzero(np.diff(times_s) <= 0):
        what = "repeats the time" if times_s[index] == times_s[index + 1] else "goes back in time from that"
        raise EvaluationError(f"{path}:{lines[index + 1]}: {what} of line {lines[index]}: stamps must increase")


def _kitti(path: Path, lines: list[int], numbers: FloatArray) -> Trajectory:
    poses = []
    for line, row in zip(lines, numbers.reshape(-1, 3, 4), strict=True):
        pose = Pose.from_rounded(row[:, :3], row[:, 3])
        if np.abs(pose.rotation @ pose.rotation.T - np.eye(3)).max() > 1e-6:
            raise EvaluationError(f"{path}:{line}: the left 3x3 part is not a rotation")
        poses.append(pose)
    return Trajectory(str(path), tuple(poses), None)
