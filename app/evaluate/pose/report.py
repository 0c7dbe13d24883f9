"""Report of a pose evaluation: AUC by set and method, as values for JSON and as a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from .metrics import Auc

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
        lines += [f"{name:{width}}" + "".join(f"  {_cell(auc)}" for auc in row) for name, row in rows.items()]
        states = Counter(pair.state for pair in self.ours.pairs)
        counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        cpu = sum(pair.cpu_ms for pair in self.ours.pairs) / len(self.ours.pairs)
        return "\n".join([head, "", *lines, "", f"states: {counted}; {cpu:.0f} ms of CPU from matches to pose"])


def _cell(auc: Auc) -> str:
    return f"{auc.auc5:.3f} {auc.auc10:.3f} {auc.auc20:.3f}"
