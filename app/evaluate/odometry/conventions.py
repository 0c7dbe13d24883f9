"""Conventions that a trajectory may be in without saying so: another unit, inverse poses, quaternions in another order.

Each gives figures that look like those of bad odometry. What fits far better is said; the figures stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.calibration.pose import Pose

from .read import Trajectory
from .report import OdometryScore, matched_poses, score_trajectory

USUAL_SCALE = 0.7, 1.4
UNITS = {1000.0: "mm", 100.0: "cm", 1 / 0.0254: "inches", 0.001: "km"}
NEAR_UNIT = 0.1
FAR_BETTER = 0.3
"""Of the error as read: less than that is no accident."""

LEAST_WRONG_DEG = 2.0
LEAST_POSES = 5
"""Fewer, or nearly straight ones, do not say how the sensors are turned to each other."""


def _scalar_first(pose: Pose) -> Pose:
    return Pose.from_quaternion(np.roll(pose.quaternion, -1), pose.translation_m)


def _turned_back(pose: Pose) -> Pose:
    return Pose(pose.rotation.T, pose.translation_m)


READINGS: dict[str, Callable[[Pose], Pose]] = {
    "its quaternions as w x y z instead of x y z w": _scalar_first,
    "its poses as inverse ones (world to camera)": Pose.inverse,
    "its rotations as inverse ones": _turned_back,
}


def doubts(estimate: Trajectory, reference: Trajectory, score: OdometryScore) -> Iterator[str]:
    """Sentences on what the files may mean instead of what was read."""
    matched, its_truth = matched_poses(estimate, reference)
    yield from _of_scale(matched, its_truth)
    if len(matched.poses) < LEAST_POSES:
        return
    others: dict[str, OdometryScore] = {}
    for words, reading in READINGS.items():
        with suppress(EvaluationError, ValueError):
            other = replace(estimate, poses=tuple(map(reading, estimate.poses)))
            others[words] = score_trajectory(score.id, other, reference)
    better = {words: _wrong_deg(other) for words, other in others.items() if _is_far_better(other, score)}
    if better:
        yield f"{estimate.source}: with {min(better, key=better.__getitem__)} it fits {reference.source} far better"


def _of_scale(estimate: Trajectory, reference: Trajectory) -> Iterator[str]:
    spreads = [float(np.linalg.norm(one.positions_m.std(axis=0))) for one in (estimate, reference)]
    scale = spreads[0] / spreads[1] if spreads[1] else 1.0
    if scale == 0 or USUAL_SCALE[0] <= scale <= USUAL_SCALE[1]:
        return
    unit = next((name for factor, name in UNITS.items() if abs(scale / factor - 1) < NEAR_UNIT), None)
    why = f"is it in {unit}?" if unit else "has it no metric scale? It is aligned without one"
    yield f"{estimate.source} extends {scale:.4g} times as far as {reference.source}: {why}"


def _is_far_better(other: OdometryScore, score: OdometryScore) -> bool:
    """In its rotations, without being worse in its positions."""
    if other.absolute.rmse_m > 1.01 * score.absolute.rmse_m + 1e-9:
        return False
    return _wrong_deg(score) > LEAST_WRONG_DEG and _wrong_deg(other) < FAR_BETTER * _wrong_deg(score)


def _wrong_deg(score: OdometryScore) -> float:
    """Greatest of the mean errors of rotation over all spans."""
    return max((error.rotation_deg for error in score.relative.values() if error.rotation_deg is not None), default=0.0)
