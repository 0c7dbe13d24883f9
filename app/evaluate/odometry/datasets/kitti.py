"""KITTI odometry sequences: image_0/ and image_1/, calib.txt, times.txt, and poses.txt put beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roma_device.app.cameras.images import read_image
from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.odometry.read import Trajectory, check_times, numbered_rows, read_trajectory, table
from roma_device.calibration.arrays import Size
from roma_device.calibration.formats.kitti import load_kitti
from roma_device.calibration.rectify import RectifiedRig

from . import Clip


class Kitti:
    """The layout; without state."""

    def fits(self, folder: Path) -> bool:
        return (folder / "image_0").is_dir() and (folder / "poses.txt").is_file()

    def open(self, folder: Path) -> Clip:
        left, right = (tuple(sorted((folder / f"image_{side}").glob("*.png"))) for side in (0, 1))
        if not left or [path.name for path in left] != [path.name for path in right]:
            raise EvaluationError(f"{folder}: image_0 and image_1 do not hold pairs of the same names")
        rows = numbered_rows(folder / "times.txt")
        times_s = table(folder / "times.txt", rows, 1)[:, 0]
        check_times(folder / "times.txt", [line for line, _ in rows], times_s)
        poses = read_trajectory(folder / "poses.txt").poses
        if not len(left) == len(times_s) == len(poses):
            raise EvaluationError(f"{folder}: {len(left)} pairs, {len(times_s)} times and {len(poses)} poses")
        height, width = read_image(left[0]).shape[:2]
        pair = load_kitti(folder / "calib.txt", Size(width, height), "grey")
        rig = RectifiedRig(Size(width, height), pair.left.fx, pair.baseline_m, pair.left.cx, pair.left.cy)
        times_ns = tuple(round(float(time_s) * 1e9) for time_s in times_s)
        reference = Trajectory(str(folder / "poses.txt"), poses, np.array(times_s))
        return Clip(rig, tuple(zip(left, right, strict=True)), times_ns, reference)


KITTI = Kitti()
