"""Report of a stereo evaluation: disparity metrics by pair and matcher, as values for JSON and as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from .metrics import StereoMetrics, mean_of

_LEGEND = """\
Pairs resized to {} px width; EPE in px, CPU in ms, the others in %.
nonocc: bad-2 of what both cameras see; sure80: bad-2 of the 80 % most certain pixels."""


@dataclass(frozen=True, slots=True)
class PairScore:
    """One matcher on one pair."""

    id: str
    everywhere: StereoMetrics
    nonocc: StereoMetrics | None  # where the right camera sees the pixel too; None where that is not known
    cpu_ms: float  # time of the process on all its threads

    def as_json(self) -> dict[str, Any]:
        nonocc = None if self.nonocc is None else _plain(self.nonocc)
        return {"id": self.id, **_plain(self.everywhere), "cpu_ms": round(self.cpu_ms, 3), "nonocc": nonocc}


@dataclass(frozen=True, slots=True)
class MatcherScores:
    """One matcher on all pairs."""

    name: str
    pairs: tuple[PairScore, ...]

    @property
    def mean(self) -> PairScore:
        """Every pair counts the same, whatever its number of pixels."""
        nonocc = [pair.nonocc for pair in self.pairs if pair.nonocc is not None]
        return PairScore(
            "mean",
            mean_of([pair.everywhere for pair in self.pairs]),
            mean_of(nonocc) if nonocc else None,
            sum(pair.cpu_ms for pair in self.pairs) / len(self.pairs),
        )

    def as_json(self) -> dict[str, Any]:
        mean = self.mean.as_json()
        del mean["id"]
        return {"matcher": self.name, "mean": mean, "pairs": [pair.as_json() for pair in self.pairs]}


@dataclass(frozen=True, slots=True)
class StereoReport:
    """A matcher and its baselines on the same pairs, in the same order."""

    width_px: int
    ours: MatcherScores
    baselines: tuple[MatcherScores, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for json.dumps; shares in [0, 1], None where nothing could be measured."""
        baselines = {scores.name: scores.as_json() for scores in self.baselines}
        return {"width_px": self.width_px, **self.ours.as_json(), "baseline": baselines}

    def as_text(self) -> str:
        """A table with a line per pair and one for the mean; each matcher has its own columns."""
        matchers = (self.ours, *self.baselines)
        rows = [
            *zip(*(scores.pairs for scores in matchers), strict=True),
            [scores.mean for scores in matchers],
        ]
        names = ["", "pair", *(row[0].id for row in rows)]
        blocks = [[scores.name.center(len(_TITLES)) for scores in matchers], [_TITLES] * len(matchers)]
        blocks += [[_cells(score) for score in row] for row in rows]
        width = max(map(len, names))
        lines = [" | ".join([f"{name:{width}}", *row]).rstrip() for name, row in zip(names, blocks, strict=True)]
        return "\n".join([_LEGEND.format(self.width_px), "", *lines])


def _aligned(cells: Iterable[str]) -> str:
    return "".join(f"{cell:>7}" for cell in cells)


_TITLES = _aligned(["bad-2", "EPE", "D1", "nonocc", "sure80", "CPU"])


def _cells(score: PairScore) -> str:
    everywhere, nonocc = score.everywhere, score.nonocc
    return _aligned(
        [
            _percent(everywhere.bad2),
            _decimals(everywhere.epe),
            _percent(everywhere.d1),
            _percent(None if nonocc is None else nonocc.bad2),
            _percent(everywhere.bad2_80),
            f"{score.cpu_ms:.0f}",
        ]
    )


def _percent(share: float | None) -> str:
    return _decimals(None if share is None else 100 * share)


def _decimals(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.2f}"


def _plain(metrics: StereoMetrics) -> dict[str, float | None]:
    """JSON knows no NaN; a key without meaning for the matcher is left out."""
    values = {key: value for key, value in asdict(metrics).items() if value is not None}
    return {key: round(value, 6) if math.isfinite(value) else None for key, value in values.items()}
