"""What a run amounts to: latencies, rate, coverage and, where the truth is known, the error."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from roma_device.calibration.arrays import FloatImage
from roma_device.runtime.types import DepthMap, Result

from .pose_summary import PoseSummary

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
            "fps": round(self.frames / elapsed_s, 2) if self.frames else 0.0,
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
        lines.append(f"{self.frames} frames, {record['fps']:.1f} fps with capture and saving")
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
