"""Trajectory errors: absolute (ATE) after rigid alignment, and relative (RPE).

Sources: absolute error as in Sturm et al., IROS 2012 (TUM), with the alignment of Horn/Umeyama without scale;
segments as in Geiger et al., CVPR 2012 (KITTI odometry).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose, nearest_rotation


@dataclass(frozen=True, slots=True)
class AbsoluteError:
    """Distances of corresponding positions, in metres."""

    rmse_m: float
    mean_m: float
    max_m: float


@dataclass(frozen=True, slots=True)
class RelativeError:
    """Errors of motions over a given time or distance."""

    count: int
    translation: float  # mean length of the error over the mean length of the motion
    translation_rms: float  # root mean square of the same
    rotation_deg: float | None  # mean angle; None where the reference has no orientation


def arc_length_m(positions_m: FloatArray) -> FloatArray:
    """(N,) distance along the path from the first of the positions (N, 3) to each."""
    steps = np.linalg.norm(np.diff(positions_m, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])[: len(positions_m)]


def path_length_m(positions_m: FloatArray) -> float:
    """Sum of the steps between positions (N, 3)."""
    return float(np.linalg.norm(np.diff(positions_m, axis=0), axis=1).sum())


def rigid_alignment(estimated_m: FloatArray, true_m: FloatArray) -> Pose:
    """The pose true_from_estimated that brings positions (N, 3) nearest to those of the truth; no scale."""
    middle, true_middle = estimated_m.mean(axis=0), true_m.mean(axis=0)
    rotation = nearest_rotation((true_m - true_middle).T @ (estimated_m - middle))
    return Pose(rotation, true_middle - rotation @ middle)


def absolute_error(estimated_m: FloatArray, true_m: FloatArray, alignment: Pose | None = None) -> AbsoluteError:
    """Of positions (N, 3) after ``alignment``, by default the best rigid one."""
    chosen = rigid_alignment(estimated_m, true_m) if alignment is None else alignment
    apart_m = np.linalg.norm(chosen.apply(estimated_m) - true_m, axis=1)
    return AbsoluteError(float(np.sqrt((apart_m**2).mean())), float(apart_m.mean()), float(apart_m.max()))


def sensor_rotation(estimated: Sequence[Pose], true: Sequence[Pose], alignment: Pose) -> FloatArray:
    """Mean rotation (3, 3) true sensor from estimated sensor, where both say how the same thing is turned.

    One trajectory may tell of a camera that looks along z and the other of a vehicle that drives along x.
    """
    pairs = zip(true, estimated, strict=True)
    rotations = [truth.rotation.T @ alignment.rotation @ estimate.rotation for truth, estimate in pairs]
    return nearest_rotation(np.sum(rotations, axis=0))


def relative_error(
    estimated: Sequence[Pose], true: Sequence[Pose], spans: Sequence[tuple[int, int]], oriented: bool
) -> RelativeError | None:
    """Over pairs of indices (start, end), with both trajectories in the same world and sensor frames.

    With orientations the motions are compared in the sensor's frame at the start, as KITTI does; without them in the
    world, so that rotations that were wrong before count too. None where there is no span with a motion.
    """
    errors_m, lengths_m, rotations_deg = [], [], []
    for start, end in spans:
        if oriented:
            truth, estimate = true[start].inverse() @ true[end], estimated[start].inverse() @ estimated[end]
            wrong = truth.rotation.T @ estimate.rotation
            rotations_deg.append(Pose(wrong, np.zeros(3)).angle_deg)
            error = estimate.translation_m - truth.translation_m
        else:
            truth_m = true[end].translation_m - true[start].translation_m
            error = estimated[end].translation_m - estimated[start].translation_m - truth_m
        errors_m.append(float(np.linalg.norm(error)))
        lengths_m.append(float(np.linalg.norm(true[end].translation_m - true[start].translation_m)))
    if not errors_m or np.mean(lengths_m) <= 0:
        return None
    length_m = float(np.mean(lengths_m))
    rms = float(np.sqrt(np.mean(np.square(errors_m)))) / length_m
    return RelativeError(
        len(errors_m), float(np.mean(errors_m)) / length_m, rms, float(np.mean(rotations_deg)) if oriented else None
    )


def spans_of_time(times_s: FloatArray, seconds: float) -> list[tuple[int, int]]:
    """From each pose to the one nearest to ``seconds`` later, where there is one within a quarter of that time."""
    spans = []
    for start, time_s in enumerate(times_s):
        end = int(np.abs(times_s - time_s - seconds).argmin())
        if end > start and abs(times_s[end] - time_s - seconds) <= 0.25 * seconds:
            spans.append((start, end))
    return spans


def spans_of_length(positions_m: FloatArray, length_m: float) -> list[tuple[int, int]]:
    """From each pose to the first one at least ``length_m`` further along the path."""
    gone_m = arc_length_m(positions_m)
    ends = np.searchsorted(gone_m, gone_m + length_m)
    return [(start, int(end)) for start, end in enumerate(ends) if end < len(gone_m)]
