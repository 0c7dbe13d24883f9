"""What a run amounts to: latencies, rate, coverage, poses and, where the truth is known, the errors."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from roma_device.app.trajectories.error import absolute_error, path_length_m
from roma_device.calibration.arrays import FloatImage
from roma_device.runtime.types import DepthMap, Result

MOST_KEPT = 100_000
"""Positions that are compared with the truth: some hours of a simulated or recorded rig."""


@dataclass(slots=True)
class PoseSummary:
    """Collects poses frame by frame; stays empty in a run that looks for none."""

    states: Counter[str] = field(default_factory=Counter)
    segments: int = 0
    is_alone: bool = False  # no network ran
    path_m: float = 0.0
    _last: tuple[int, Any] | None = None  # segment, position
    _estimated: list[Any] = field(default_factory=list)
    _true: list[Any] = field(default_factory=list)

    def add(self, result: Result) -> None:
        if result.pose is None:
            return
        self.states[result.pose.state] += 1
        self.segments = max(self.segments, result.pose.segment)
        self.is_alone = result.depth is None
        pose = result.pose.odom_from_camera
        if pose is None:
            return
        if self._last is not None and self._last[0] == result.pose.segment:
            self.path_m += float(np.linalg.norm(pose.translation_m - self._last[1]))
        self._last = (result.pose.segment, pose.translation_m)
        truth = result.frame.truth.world_from_left if result.frame.truth else None
        if truth is not None and self.segments == 1 and len(self._true) < MOST_KEPT:
            self._estimated.append(pose.translation_m)
            self._true.append(truth.translation_m)

    def as_json(self) -> dict[str, Any]:
        """For JSON; the absolute error after the rigid alignment that fits best, and as a share of the true path."""
        record: dict[str, Any] = {
            "states": dict(self.states),
            "segments": self.segments,
            "path_m": round(self.path_m, 4),
        }
        if len(self._true) > 2 and (path_m := path_length_m(np.array(self._true))) > 0:
            error_m = absolute_error(np.array(self._estimated), np.array(self._true)).rmse_m
            record |= {"ate_m": round(error_m, 6), "ate_of_path": round(error_m / path_m, 6)}
        return record

    def as_lines(self) -> list[str]:
        """For a person; none where no pose was looked for."""
        if not self.states:
            return []
        record = self.as_json()
        counts = ", ".join(f"{count} {state}" for state, count in self.states.items())
        segments = f", {self.segments} segments" if self.segments > 1 else ""
        lines = [f"poses: {counts}{segments}; {self.path_m:.3f} m gone"]
        if "ate_m" in record:
            lines.append(
                f"position error against the simulator's truth: {1000 * record['ate_m']:.2f} mm RMS after rigid "
                f"alignment, {100 * record['ate_of_path']:.3f} % of the path"
            )
        return lines


TRUTH_RANGE_M = (0.5, 5.0)
"""Depth errors are summed up over true depths in this range."""

KEPT = 10_000
"""Frames whose figures are kept: a run may last for weeks."""


def relative_errors(depth: DepthMap, truth_m: FloatImage) -> FloatImage:
    """|estimate - truth| / truth of each pixel that has both, truth within TRUTH_RANGE_M; shape (N,)."""
    low, high = TRUTH_RANGE_M
    known = np.isfinite(depth.depth_m) & (truth_m >= low) & (truth_m <= high)
    return np.asarray(np.abs(depth.depth_m[known] - truth_m[known]) / truth_m[known], np.float32)


@dataclass(slots=True)
class Summary:
    """Collects figures frame by frame: spreads and means are those of the last KEPT ones."""

    started_s: float = field(default_factory=time.perf_counter)
    finished_s: float = 0.0
    frames: int = 0
    dropped: int = 0
    stages_ms: dict[str, deque[float]] = field(default_factory=dict)
    valid: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    poses: PoseSummary = field(default_factory=PoseSummary)
    median_errors: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))

    def observe(self, result: Result) -> None:
        self.frames += 1
        self.dropped = result.dropped
        self.finished_s = time.perf_counter()
        for stage, value in result.times.stages_ms.items():
            self.stages_ms.setdefault(stage, deque(maxlen=KEPT)).append(value)
        self.valid.append(result.depth.valid_ratio if result.depth else float(result.valid.mean()))
        self.poses.add(result)
        truth_m = result.frame.truth.depth_m if result.frame.truth else None
        if truth_m is not None and result.depth is not None:
            errors = relative_errors(result.depth, truth_m)
            if errors.size:
                self.median_errors.append(float(np.median(errors)))

    def as_json(self) -> dict[str, Any]:
        elapsed_s = max(self.finished_s - self.started_s, 1e-9)
        record: dict[str, Any] = {
            "frames": self.frames,
            "fps": round(self.frames / elapsed_s, 2) if self.frames else None,
            "dropped": self.dropped,
            "stages_ms": {stage: _spread(values) for stage, values in self.stages_ms.items()},
        }
        if self.poses.states:
            record["pose"] = self.poses.as_json()
        if self.valid and not self.poses.is_alone:
            record["valid_ratio"] = round(float(np.mean(self.valid)), 4)
        if self.median_errors:
            record["depth_error"] = round(float(np.median(self.median_errors)), 5)
        return record

    def as_text(self) -> str:
        record = self.as_json()
        lines = [f"{'stage':<12}{'median ms':>11}{'95 % ms':>11}{'max ms':>11}"]
        for stage, spread in record["stages_ms"].items():
            lines.append(f"{stage:<12}{spread['median']:>11.2f}{spread['p95']:>11.2f}{spread['max']:>11.2f}")
        rate = f", {record['fps']:.1f} fps with capture and saving" if self.frames else ""
        lines.append(f"{self.frames} frame{'' if self.frames == 1 else 's'}{rate}")
        if "valid_ratio" in record:
            lines.append(f"{100 * record['valid_ratio']:.1f} % of the pixels have a value")
        if "depth_error" in record:
            low, high = TRUTH_RANGE_M
            error = 100 * record["depth_error"]
            lines.append(f"depth error against the simulator's truth, {low:g}-{high:g} m: median {error:.2f} %")
        return "\n".join([*lines, *self.poses.as_lines()])


def _spread(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    count = len(ordered)
    return {
        "median": round(ordered[count // 2], 3),
        "p95": round(ordered[count * 95 // 100], 3),
        "max": round(ordered[-1], 3),
    }
