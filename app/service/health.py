"""Whether a run gives what it was asked for: frames, depth or poses, results on the disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from roma_device.app.recording.recorder import Recorder
from roma_device.app.sinks.sink_set import SinkSet

from .live_stats import LiveStats


@dataclass(frozen=True, slots=True)
class Health:
    """Reads what others count; for any thread."""

    stats: LiveStats
    healthy_s: float = 10.0  # so long nothing may come
    sinks: SinkSet = field(default_factory=lambda: SinkSet({}))
    recorder: Recorder | None = None

    @property
    def is_good(self) -> bool:
        return not self.problems()

    def problems(self) -> dict[str, str]:
        """What is wrong now, by where: camera, depth, pose, recording, and each sink by its name."""
        found = self._of_frames()
        found |= self.sinks.in_trouble
        if self.recorder is not None and self.recorder.problem:
            found["recording"] = self.recorder.problem
        return found

    def _of_frames(self) -> dict[str, str]:
        age_s, useful_s = self.stats.last_frame_age_s, self.stats.last_useful_age_s
        if age_s is None:
            return {"camera": "there was no frame yet"}
        if age_s > self.healthy_s:
            return {"camera": f"no frame went through for {age_s:.0f} s"}
        if useful_s > self.healthy_s:
            return {self.stats.task: f"frames come, but there is no {self.stats.task} in them for {useful_s:.0f} s"}
        return {}

    def as_json(self) -> dict[str, Any]:
        """For JSON: whether all is good, what is not, and how sinks and recording are doing."""
        problems = self.problems()
        record: dict[str, Any] = {"healthy": not problems, "problems": problems}
        if self.sinks.states:
            record["sinks"] = {name: state.as_json() for name, state in self.sinks.states.items()}
        if self.recorder is not None:
            record["recording"] = self.recorder.as_json()
        return record
