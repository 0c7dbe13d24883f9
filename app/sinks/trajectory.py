"""The rig's way as a TUM trajectory, a line for every pose, and a plot of it at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roma_device.app.trajectories.plot import PlottedPath, draw_paths
from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.files import write_atomic
from roma_device.runtime.pose_estimate import PoseEstimate
from roma_device.runtime.types import Result

from .file_sink import encode_png, told
from .growing_file import GrowingFile

HEADER = "# timestamp_s x_m y_m z_m qx qy qz qw: left camera (x forward, y left, z up) in the frame odom"


def tum_line(timestamp_ns: int, pose: Pose) -> str:
    """One line without its end: every digit of the time, micrometres, 1e-8 of the quaternion."""
    seconds, fraction = divmod(timestamp_ns, 1_000_000_000)
    position = " ".join(f"{value:.6f}" for value in pose.translation_m)
    orientation = " ".join(f"{value:.8f}" for value in pose.quaternion)
    return f"{seconds}.{fraction:09d} {position} {orientation}"


NAME, PLOT_NAME = "trajectory.tum", "trajectory.png"
MOST_PLOTTED = 20_000
"""Poses kept for the plot; of a longer way every second one, then every fourth and so on."""


class TrajectorySink:
    """``trajectory.tum``, begun anew by each run; a power cut costs at most the last half second.

    A frame without a pose has no line. Where the motion was lost for good and a new segment begins, its poses go to
    ``trajectory-2.tum`` and so on: what is known of the first says nothing of the second. ``trajectory.png`` shows
    them all.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: GrowingFile | None = None
        self._segment = 1
        self._plot = PlotPoints()

    def __enter__(self) -> TrajectorySink:
        self._begin(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        if not self._plot.count:
            return
        path = self._folder / PLOT_NAME
        with told(f"cannot write {path}"):
            write_atomic(path, encode_png(draw_paths(self._plot.paths())))

    def write(self, result: Result) -> None:
        """Append one line where there is a pose; raises SinkError."""
        if self._file is None:
            raise ValueError("poses are written inside the sink's with block")
        if result.pose is not None and result.pose.odom_from_camera is not None:
            self._add(result.pose, self._file)

    def _add(self, estimate: PoseEstimate, file: GrowingFile) -> None:
        assert estimate.odom_from_camera is not None
        if estimate.segment != self._segment:
            self._close()
            file = self._begin(estimate.segment)
        line = tum_line(estimate.timestamp_ns, estimate.odom_from_camera) + "\n"
        file.append(line.encode("ascii"))
        self._plot.add(estimate.segment, estimate.odom_from_camera.translation_m, estimate.state == "degraded")

    def _begin(self, segment: int) -> GrowingFile:
        name = NAME if segment == 1 else NAME.replace(".", f"-{segment}.")
        self._file, self._segment = GrowingFile(self._folder / name, f"{HEADER}\n".encode("ascii")), segment
        self._file.begin()
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class PlotPoints:
    """The way so far, thinned as it grows: a run may last for weeks."""

    def __init__(self) -> None:
        self.count = 0
        self._every = 1
        self._kept: list[tuple[int, float, float, float, bool]] = []

    def add(self, segment: int, position_m: FloatArray, degraded: bool) -> None:
        if self.count % self._every == 0:
            x, y, z = map(float, position_m)
            self._kept.append((segment, x, y, z, degraded))
        self.count += 1
        if len(self._kept) > MOST_PLOTTED:
            self._kept = self._kept[::2]
            self._every *= 2

    def paths(self) -> list[PlottedPath]:
        """One for each segment."""
        segments = sorted({each[0] for each in self._kept})
        paths = []
        for segment in segments:
            points = [each[1:] for each in self._kept if each[0] == segment]
            name = "estimate" if segments == [1] else f"segment {segment}"
            paths.append(PlottedPath(name, np.array([each[:3] for each in points]), np.array([p[3] for p in points])))
        return paths
