"""What a run's poses amount to: states, distance and, where the truth is known, the error."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from roma_device.app.trajectories.error import absolute_error, path_length_m
from roma_device.runtime.types import Result

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
