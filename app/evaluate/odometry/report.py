"""Trajectory errors: ATE, RPE and KITTI segment errors against a reference, as values and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roma_device.app.evaluate import EvaluationError
from roma_device.app.trajectories.error import (
    AbsoluteError,
    RelativeError,
    absolute_error,
    path_length_m,
    relative_error,
    rigid_alignment,
    sensor_rotation,
    spans_of_length,
    spans_of_time,
)
from roma_device.calibration.pose import Pose

from .read import Trajectory

SEGMENTS_M = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0)
"""Lengths of KITTI; shorter paths take shares of their own instead."""

SHARES = (0.125, 0.25, 0.5, 0.75)
NEAR_S = 0.02
"""Stamps that are that near belong together."""


@dataclass(frozen=True, slots=True)
class OdometryScore:
    """One trajectory judged."""

    id: str
    poses: int  # that both have
    missing: float  # share of the reference's poses that the trajectory lacks
    path_m: float
    absolute: AbsoluteError
    sensor_rotation_deg: float  # between the two sensor frames, removed; 0 where the reference has no orientation
    relative: dict[str, RelativeError]  # "1 frame", "1 s", "100 m"
    segments: RelativeError | None  # mean over the segment lengths

    def as_json(self) -> dict[str, Any]:
        """Plain values; shares of the path, not percent."""
        relative = {name: _plain(error) for name, error in self.relative.items()}
        return {
            "id": self.id,
            "poses": self.poses,
            "missing": round(self.missing, 4),
            "path_m": round(self.path_m, 4),
            "ate": {
                "rmse_m": round(self.absolute.rmse_m, 6),
                "mean_m": round(self.absolute.mean_m, 6),
                "max_m": round(self.absolute.max_m, 6),
                "of_path": round(self.absolute.rmse_m / self.path_m, 6),
                "alignment": "rigid, no scale",
            },
            "sensor_turn_deg": round(self.sensor_rotation_deg, 3),
            "rpe": relative,
            "segments": None if self.segments is None else _plain(self.segments),
        }

    def as_text(self) -> str:
        """Some lines for a person."""
        lines = [
            f"{self.id}: {self.poses} poses, {self.path_m:.2f} m; {100 * self.missing:.0f} % of the reference missing",
            f"  ATE {self.absolute.rmse_m:.4f} m RMS, {self.absolute.max_m:.4f} m at most, "
            f"{100 * self.absolute.rmse_m / self.path_m:.3f} % of the path (rigid alignment, no scale)",
        ]
        if self.sensor_rotation_deg > 1:
            lines.append(f"  the sensor frames differ by {self.sensor_rotation_deg:.1f} deg, which was removed")
        lines += [f"  {_row(f'RPE {name}', error)}" for name, error in self.relative.items()]
        if self.segments is not None:
            lines.append(f"  {_row('segments', self.segments)}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class OdometryReport:
    """All trajectories of an evaluation."""

    scores: tuple[OdometryScore, ...]
    skipped: dict[str, str]  # id -> why

    def as_json(self) -> dict[str, Any]:
        return {"sets": {score.id: score.as_json() for score in self.scores}, "skipped": self.skipped}

    def as_text(self) -> str:
        skipped = [f"{name}: left out, {reason}" for name, reason in self.skipped.items()]
        return "\n".join([*(score.as_text() for score in self.scores), *skipped])


def _row(name: str, error: RelativeError) -> str:
    rotation = "" if error.rotation_deg is None else f", rotation {error.rotation_deg:.3f} deg"
    return (
        f"{name:<14} translation {100 * error.translation:.2f} % mean, {100 * error.translation_rms:.2f} % RMS"
        f"{rotation} ({error.count} spans)"
    )


def _plain(error: RelativeError) -> dict[str, float | int | None]:
    return {
        "translation": round(error.translation, 6),
        "translation_rms": round(error.translation_rms, 6),
        "rotation_deg": None if error.rotation_deg is None else round(error.rotation_deg, 5),
        "spans": error.count,
    }


def score_trajectory(name: str, estimate: Trajectory, reference: Trajectory) -> OdometryScore:
    """Compare poses of the same time, or of the same number where a file has no times; raises EvaluationError."""
    estimate, matched = matched_poses(estimate, reference)
    true_m = matched.positions_m
    path_m = path_length_m(true_m)
    if path_m <= 0:
        raise EvaluationError(f"{reference.source}: the reference does not move: there is no path to compare with")
    alignment = rigid_alignment(estimate.positions_m, true_m)
    rotation = sensor_rotation(estimate.poses, matched.poses, alignment) if matched.is_oriented else np.eye(3)
    aligned = [alignment @ pose @ Pose(rotation.T, np.zeros(3)) for pose in estimate.poses]
    relative, segments = _relative(aligned, matched)
    return OdometryScore(
        name,
        len(aligned),
        1 - len(aligned) / len(reference.poses),
        path_m,
        absolute_error(estimate.positions_m, true_m, alignment),
        Pose(rotation, np.zeros(3)).angle_deg,
        relative,
        segments,
    )


def _relative(aligned: Sequence[Pose], reference: Trajectory) -> tuple[dict[str, RelativeError], RelativeError | None]:
    true, oriented, times_s = reference.poses, reference.is_oriented, reference.times_s
    spans = {"1 frame": [(index, index + 1) for index in range(len(true) - 1)]}
    if times_s is not None:
        spans["1 s"] = spans_of_time(times_s, 1.0)
    errors = {name: relative_error(aligned, true, pairs, oriented) for name, pairs in spans.items()}
    path_m = path_length_m(reference.positions_m)
    lengths_m = [length for length in SEGMENTS_M if length < path_m] or [share * path_m for share in SHARES]
    by_length = {
        f"{length_m:.3g} m": relative_error(aligned, true, spans_of_length(reference.positions_m, length_m), oriented)
        for length_m in lengths_m
    }
    known = {name: error for name, error in (errors | by_length).items() if error is not None}
    return known, _mean([error for name, error in known.items() if name in by_length])


def _mean(errors: Sequence[RelativeError]) -> RelativeError | None:
    """Over all segments of all lengths, as KITTI has it."""
    count = sum(error.count for error in errors)
    if not count:
        return None
    rotations = [(error.rotation_deg, error.count) for error in errors if error.rotation_deg is not None]
    return RelativeError(
        count,
        sum(error.translation * error.count for error in errors) / count,
        float(np.sqrt(sum(error.translation_rms**2 * error.count for error in errors) / count)),
        sum(angle * spans for angle, spans in rotations) / count if rotations else None,
    )


def matched_poses(estimate: Trajectory, reference: Trajectory) -> tuple[Trajectory, Trajectory]:
    """The poses that belong together; raises EvaluationError where there are less than three."""
    if estimate.times_s is None or reference.times_s is None:
        if len(estimate.poses) != len(reference.poses):
            raise EvaluationError(
                f"{estimate.source} has {len(estimate.poses)} poses and {reference.source} {len(reference.poses)}: "
                "without times in both files they cannot be told apart"
            )
        times_s = reference.times_s if estimate.times_s is None else estimate.times_s
        return estimate, Trajectory(reference.source, reference.poses, times_s, reference.is_oriented)
    nearest = np.abs(estimate.times_s[:, None] - reference.times_s[None]).argmin(axis=1)
    near = np.abs(reference.times_s[nearest] - estimate.times_s) <= NEAR_S
    kept, first = np.unique(nearest[near], return_index=True)
    if len(kept) < 3:
        raise EvaluationError(
            f"{estimate.source} and {reference.source} have {len(kept)} poses of the same time (within {NEAR_S} s): "
            "are the stamps of one clock?"
        )
    return estimate.chosen(np.flatnonzero(near)[first]), reference.chosen(kept)
