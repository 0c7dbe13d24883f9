"""Latency model of the NPU: linear in MACs and traffic, fitted to measurements, with its error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roma_device.calibration.storage.yaml_section import read_section
from roma_device.runtime.card import ModelError

from .graph_cost import GraphCost


@dataclass(frozen=True, slots=True)
class LatencyLaw:
    """``ms = per_gmac * GMAC + per_products_mb * MB``, as ``python -m model.studies.fit_latency`` wrote it."""

    chip: str
    npu: str
    ms_per_gmac: float
    ms_per_products_mb: float
    median_error: float  # relative, leave-one-out
    greatest_error: float
    greatest_moved_mb_per_gmac: float  # among the measured graphs

    def estimate(self, cost: GraphCost) -> LatencyEstimate:
        ms = self.ms_per_gmac * cost.gmac + self.ms_per_products_mb * cost.products_mb
        beyond = cost.moved_mb > self.greatest_moved_mb_per_gmac * max(cost.gmac, 1e-9)
        return LatencyEstimate(ms, self.median_error, beyond or bool(cost.unknown))


@dataclass(frozen=True, slots=True)
class LatencyEstimate:
    """Milliseconds; a graph that moves more for its products than any measured one gets a lower bound."""

    ms: float
    relative_error: float  # median, of the law
    lower_bound: bool


def load_latency_law(path: Path) -> LatencyLaw:
    """Raises ModelError with file, line and key at fault."""
    top = read_section(path, "latency law", ModelError)
    law = LatencyLaw(
        top.text("chip"),
        top.text("npu"),
        *(
            top.number(key)
            for key in (
                "ms_per_gmac",
                "ms_per_products_mb",
                "median_error",
                "greatest_error",
                "greatest_moved_mb_per_gmac",
            )
        ),
    )
    top.sections("rows")
    top.finish()
    return law
