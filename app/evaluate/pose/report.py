"""Report of a pose evaluation: error of each pair, AUC by set and method, as values for JSON and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose
from roma_device.runtime.relative_pose.motion import TwoViewMotion

THRESHOLDS_DEG = (5.0, 10.0, 20.0)
FAILED_DEG = 180.0
"""Error of a pair without a pose, or without the direction of its translation."""


@dataclass(frozen=True, slots=True)
class Auc:
    """Area under the share of pairs below an error, from 0 to each of THRESHOLDS_DEG, in [0, 1]."""

    auc5: float
    auc10: float
    auc20: float

    @classmethod
    def of(cls, errors_deg: Sequence[float]) -> Auc:
        """As SuperGlue defines it: the curve goes straight from one error to the next, and starts at 0.

        Raises ValueError where there is no error at all.
        """
        if not len(errors_deg):
            raise ValueError("there is no error to sum up")
        errors = np.concatenate([[0.0], np.sort(np.asarray(errors_deg, np.float64))])
        recall = np.linspace(0, 1, len(errors))
        return cls(*(_area(errors, recall, limit) for limit in THRESHOLDS_DEG))

    def as_json(self) -> dict[str, float]:
        return {"auc5": round(self.auc5, 4), "auc10": round(self.auc10, 4), "auc20": round(self.auc20, 4)}

    def as_text(self) -> str:
        return f"{self.auc5:.3f} {self.auc10:.3f} {self.auc20:.3f}"


def _area(errors: FloatArray, recall: FloatArray, limit: float) -> float:
    below = int(np.searchsorted(errors, limit))
    x = np.append(errors[:below], limit)
    y = np.append(recall[:below], recall[below - 1])
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / limit)


def pose_error_deg(found: Pose | None, truth: Pose) -> float:
    """The larger of the rotation's angle and the angle between the translations' directions, in degrees.

    FAILED_DEG where nothing was found or no direction.
    """
    if found is None or not found.translation_m.any():
        return FAILED_DEG
    return max(_motion(found).angles_deg(_motion(truth)))


def _motion(pose: Pose) -> TwoViewMotion:
    return TwoViewMotion(pose.rotation, pose.translation_m / np.linalg.norm(pose.translation_m))


_LEGEND = """\
AUC@5/10/20 of the larger of the rotation's angle and that between the translations' directions.
{} pairs, images at {}.
ours: the poses of this program from the matches of {}; the others: the name's matches and OpenCV's MAGSAC at 1 px."""


@dataclass(frozen=True, slots=True)
class PoseScore:
    """One method on one pair."""

    id: str
    set: str
    error_deg: float
    state: str  # ok, degraded, lost
    cpu_ms: float  # from matches to pose, time of the process

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "set": self.set, "error_deg": round(self.error_deg, 4), "state": self.state}


@dataclass(frozen=True, slots=True)
class PoseScores:
    """One method on all pairs."""

    name: str
    pairs: tuple[PoseScore, ...]

    @property
    def mean(self) -> Auc:
        """Over all pairs alike."""
        return Auc.of([pair.error_deg for pair in self.pairs])

    @property
    def sets(self) -> dict[str, Auc]:
        """Each set by itself, in the order of the list."""
        names = dict.fromkeys(pair.set for pair in self.pairs)
        return {name: Auc.of([pair.error_deg for pair in self.pairs if pair.set == name]) for name in names}

    def as_json(self) -> dict[str, Any]:
        return {"mean": self.mean.as_json(), "sets": {name: auc.as_json() for name, auc in self.sets.items()}}


@dataclass(frozen=True, slots=True)
class PoseReport:
    """A method and its baselines on the same pairs."""

    matcher: str
    size_px: int  # longer side of the images; 0: as they are
    ours: PoseScores
    baselines: tuple[PoseScores, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for json.dumps, without times: two runs are equal."""
        return {
            "matcher": self.matcher,
            "size_px": self.size_px,
            **self.ours.as_json(),
            "states": dict(Counter(pair.state for pair in self.ours.pairs)),
            "baseline": {scores.name: scores.as_json() for scores in self.baselines},
            "pairs": [pair.as_json() for pair in self.ours.pairs],
        }

    def as_text(self) -> str:
        """A table with a line for each set and one for all."""
        methods = (self.ours, *self.baselines)
        size = f"{self.size_px} px on the longer side" if self.size_px else "their own size"
        head = _LEGEND.format(len(self.ours.pairs), size, self.matcher)
        names = list(self.ours.sets)
        width = max(len("all pairs"), *map(len, names))
        lines = [f"{'':{width}}" + "".join(f"  {method.name:^17}" for method in methods)]
        rows = {"all pairs": [method.mean for method in methods]}
        rows |= {name: [method.sets[name] for method in methods] for name in names}
        lines += [f"{name:{width}}" + "".join(f"  {auc.as_text()}" for auc in row) for name, row in rows.items()]
        states = Counter(pair.state for pair in self.ours.pairs)
        counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        cpu = sum(pair.cpu_ms for pair in self.ours.pairs) / len(self.ours.pairs)
        return "\n".join([head, "", *lines, "", f"states: {counted}; {cpu:.0f} ms of CPU from matches to pose"])
