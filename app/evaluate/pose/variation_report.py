"""Report of varied pose pairs: AUC of each variation, as values for JSON, as a table and as a plot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from roma_device.calibration.storage.files import write_bytes

from .report import PoseReport, PoseScores
from .variation_plot import draw_auc
from .variations import AS_THEY_ARE, Variation


@dataclass(frozen=True, slots=True)
class VariationReport:
    """The pairs as they are, first, and each variation of them."""

    reports: tuple[tuple[Variation, PoseReport], ...]

    @property
    def _plain(self) -> PoseReport:
        return self.reports[0][1]

    def as_json(self) -> dict[str, Any]:
        """That of the pairs as they are, and "variations"; without times: two runs are equal."""
        return {**self._plain.as_json(), "variations": [_record(*one) for one in self.reports[1:]]}

    def as_text(self) -> str:
        """The table of the pairs as they are, and one with a line for each variation."""
        names = [variation.name for variation, _ in self.reports]
        width = max(map(len, names))
        methods = [scores.name for scores in _methods(self._plain)]
        head = f"{'':{width}}" + "".join(f"  {name:^17}" for name in methods) + "   AUC@10 over that of the first"
        lines = [self._line(name, width, report) for name, (_, report) in zip(names, self.reports, strict=True)]
        return "\n".join([self._plain.as_text(), "", "Varied; the truth follows exactly:", "", head, *lines])

    def _line(self, name: str, width: int, report: PoseReport) -> str:
        cells = "".join(f"  {scores.mean.as_text()}" for scores in _methods(report))
        share = report.ours.mean.auc10 / max(self._plain.ours.mean.auc10, 1e-9)
        states = Counter(pair.state for pair in report.ours.pairs)
        counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        return f"{name:{width}}{cells}   {share:.2f}  {counted}"

    def save_plot(self, path: Path) -> None:
        """AUC@10 over roll and over scale as a PNG; raises CalibrationError where it cannot be written."""
        drawn = draw_auc({scores.name: dict(self._curves(scores.name)) for scores in _methods(self._plain)})
        write_bytes(path, cv2.imencode(".png", drawn)[1].tobytes(), "plot", make_folder=True)

    def _curves(self, method: str) -> Iterator[tuple[str, dict[float, float]]]:
        """Of roll and of scale: value -> AUC@10; the pairs as they are belong to both."""
        for kind in ("roll", "scale"):
            chosen = [one for one in self.reports if one[0].kind in (kind, AS_THEY_ARE.kind)]
            values = [variation.roll_deg if kind == "roll" else variation.scale for variation, _ in chosen]
            scores = [next(one for one in _methods(report) if one.name == method) for _, report in chosen]
            yield kind, {value: one.mean.auc10 for value, one in zip(values, scores, strict=True)}


def _methods(report: PoseReport) -> tuple[PoseScores, ...]:
    return (report.ours, *report.baselines)


def _record(variation: Variation, report: PoseReport) -> dict[str, Any]:
    scores = report.as_json()
    what = {"kind": variation.kind, "roll_deg": variation.roll_deg, "scale": variation.scale}
    return {**what, "corner": variation.corner, **{key: scores[key] for key in ("mean", "states", "baseline", "pairs")}}
