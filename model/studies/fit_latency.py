"""The law behind preflight's latency: ``python -m model.studies.fit_latency`` writes ``configs/npu/latency.yaml`` anew.

Exports the variant of every measured row, counts its multiplications and what its products and softmax move, and
fits ``ms = a GMAC + b MB`` with a, b >= 0 to least relative error. The error is that of each row under the law of the
others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from model.base.cli import run_tool
from model.tiny_roma.config import TinyRomaConfig
from model.tiny_roma.export import to_onnx
from model.tiny_roma.network import TinyRoma
from roma_device.runtime.onnx.graph import Graph, read_onnx
from roma_device.runtime.onnx.shapes import infer
from roma_device.runtime.preflight.graph_cost import GraphCost, graph_cost

FOLDER = Path(__file__).parents[2] / "configs" / "npu"
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """A row of ``measured.yaml``."""

    id: str
    variant: str
    size: tuple[int, int]
    result: str
    median_ms: float | None = None

    def graph(self) -> Graph:
        """Its graph, with random weights."""
        network = TinyRoma(TinyRomaConfig.load(self.variant))
        return read_onnx(to_onnx(network, self.size).SerializeToString(), Path(self.id))


def measured_rows() -> list[Measured]:
    raw = yaml.safe_load((FOLDER / "measured.yaml").read_text())["rows"]
    return [Measured(**{**row, "size": tuple(row["size"])}) for row in raw]


def fit(features: Array, ms: Array) -> Array:
    """(N, 2) and (N,) -> the two coefficients, neither below 0, of least squared relative error."""
    scaled = features / ms[:, None]
    candidates: list[Array] = [np.asarray(np.linalg.lstsq(scaled, np.ones(len(ms)), rcond=None)[0], np.float64)]
    for column in range(2):
        single = np.zeros(2)
        single[column] = scaled[:, column].sum() / (scaled[:, column] ** 2).sum()
        candidates.append(single)
    allowed = [one for one in candidates if (one >= 0).all()]
    return min(allowed, key=lambda one: float(((scaled @ one - 1) ** 2).sum()))


def leave_one_out(features: Array, ms: Array) -> Array:
    """(N,): relative error of each row under the law fitted to the others."""
    errors = []
    for row in range(len(ms)):
        others = np.arange(len(ms)) != row
        law = fit(features[others], ms[others])
        errors.append(abs(float(features[row] @ law) - ms[row]) / ms[row])
    return np.array(errors)


def law_of(costs: list[tuple[Measured, GraphCost]]) -> dict[str, Any]:
    """The content of ``latency.yaml``."""
    features = np.array([[cost.gmac, cost.products_mb] for _, cost in costs])
    ms = np.array([row.median_ms for row, _ in costs], float)
    law, errors = fit(features, ms), leave_one_out(features, ms)
    rows = [
        {
            "id": row.id,
            "gmac": round(cost.gmac, 3),
            "products_mb": round(cost.products_mb, 3),
            "measured_ms": row.median_ms,
            "error": round(float(error), 3),
        }
        for (row, cost), error in zip(costs, errors, strict=True)
    ]
    return {
        "chip": "AX650",
        "npu": "NPU1",
        "ms_per_gmac": round(float(law[0]), 4),
        "ms_per_products_mb": round(float(law[1]), 4),
        "median_error": round(float(np.median(errors)), 3),
        "greatest_error": round(float(errors.max()), 3),
        "greatest_moved_mb_per_gmac": math.ceil(100 * max(cost.moved_mb / cost.gmac for _, cost in costs)) / 100,
        "rows": rows,
    }


def main() -> None:
    rows = [row for row in measured_rows() if row.median_ms is not None]
    graphs = [(row, row.graph()) for row in rows]
    law = law_of([(row, graph_cost(graph, infer(graph))) for row, graph in graphs])
    head = "# Written by python -m model.studies.fit_latency from measured.yaml; errors are leave-one-out, relative.\n"
    (FOLDER / "latency.yaml").write_text(head + yaml.safe_dump(law, sort_keys=False))
    print(f"median error {law['median_error']}, greatest {law['greatest_error']}")


if __name__ == "__main__":
    run_tool(main)
