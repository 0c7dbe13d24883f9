"""Trajectories with timestamps (TUM, EuRoC's csv): units of time, repeated stamps, and lines that cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from loguru import logger

from roma_device.app.cameras.pair_times import unit_ns
from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.bad_lines import BadLines
from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose
from roma_device.calibration.storage.files import read_text

LARGEST_S = 1e11
"""A greater stamp counts smaller units: as seconds it would be three thousand years."""

MOST_TRAJECTORY_BYTES = 64 << 20
UNITS = {1: "ns", 10**3: "us", 10**6: "ms"}
EUROC_COLUMNS = 17

Row = tuple[int, list[str]]


def is_scalar_first(path: Path, width: int) -> bool:
    """Whether quaternions are w, x, y, z, as in EuRoC's ground truth and where the names of the columns say so."""
    text = read_text(path, "trajectory", EvaluationError, MOST_TRAJECTORY_BYTES)
    names = next((line for line in text.splitlines() if "q" in line.lower()), "")
    order = re.findall(r"q\w{0,9}?_?([wxyz])\b", names.lower())
    return order[:4] == list("wxyz") or (width == EUROC_COLUMNS and not order)


def stamped_poses(path: Path, rows: list[Row], width: int, scalar_first: bool) -> tuple[list[Pose], FloatArray]:
    """Poses and their times in s, strictly increasing; raises EvaluationError where too many lines are bad."""
    bad = BadLines(path, len(rows))
    lines: list[int] = []
    poses: list[Pose] = []
    stamps: list[float] = []
    for line, words in rows:
        try:
            stamp, pose = _parsed(words, width, scalar_first)
            _check_order(stamp, line, stamps, lines)
        except ValueError as error:
            bad.leave_out(line, str(error))
            continue
        lines.append(line)
        poses.append(pose)
        stamps.append(stamp)
    bad.finish()
    return poses, seconds(np.array(stamps), path)


def _parsed(words: list[str], width: int, scalar_first: bool) -> tuple[float, Pose]:
    if len(words) != width:
        raise ValueError(f"{len(words)} numbers, the lines before have {width}")
    try:
        row = np.array([float(word) for word in words])
    except ValueError:
        raise ValueError("not a line of numbers") from None
    if not np.isfinite(row).all():
        raise ValueError("a number is not finite")
    quaternion = np.roll(row[4:8], -1) if scalar_first else row[4:8]
    length = float(np.linalg.norm(quaternion))
    if not 0.99 < length < 1.01:
        raise ValueError(f"the quaternion has the length {length:.3g} instead of 1")
    return float(row[0]), Pose.from_quaternion(quaternion / length, row[1:4])


def _check_order(stamp: float, line: int, stamps: list[float], lines: list[int]) -> None:
    if stamps and stamp <= stamps[-1]:
        what = "repeats the time" if stamp == stamps[-1] else "goes back in time from that"
        raise ValueError(f"{what} of line {lines[-1]}: stamps must increase")


def seconds(stamps: FloatArray, path: Path) -> FloatArray:
    """Stamps in s, whatever they are in; says so where it is not s."""
    if not len(stamps) or stamps[-1] < LARGEST_S:
        return stamps
    unit = unit_ns(int(stamps[-1]))
    if unit == 1 and len(stamps) > 1:  # of this century in ns, or of no century: then by the time between poses
        step = float(np.median(np.diff(stamps)))
        is_date = stamps[-1] > 9e17
        unit = 1 if is_date or step >= 1e6 else 10**3 if step >= 1e3 else 10**6
    logger.warning(
        "{}: its stamps are taken as {}, as {:.0f} s would be no time", path, UNITS.get(unit, "s"), stamps[-1]
    )
    return np.asarray(stamps * (unit / 1e9))
