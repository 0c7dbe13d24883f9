"""Preflight against everything that was compiled and measured before."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")

from model.studies.fit_latency import FOLDER, Measured, fit, law_of, leave_one_out, measured_rows
from roma_device.app.verify.model_check import find_chip
from roma_device.runtime.onnx.graph import Graph
from roma_device.runtime.onnx.shapes import infer
from roma_device.runtime.preflight.graph_cost import GraphCost, graph_cost, load_latency_law
from roma_device.runtime.preflight.report import check_graph

UNKNOWN = {"C8"}
"""Failed at a size between sizes that compiled, for a reason that nobody recorded."""


@pytest.fixture(scope="module")
def graphs() -> list[tuple[Measured, Graph]]:
    return [(row, row.graph()) for row in measured_rows()]


def test_verdicts_are_those_of_the_compiler(graphs: list[tuple[Measured, Graph]]) -> None:
    chip = find_chip("AX650")
    for row, graph in graphs:
        report = check_graph(graph, row.id, chip, "NPU1", None)
        assert report.verdict == ("unknown" if row.id in UNKNOWN else row.result), row.id
        if report.verdict != "compiles":
            assert any(finding.severity == report.verdict and finding.why for finding in report.findings)


def test_latency_law_is_the_stored_one_and_good_enough(graphs: list[tuple[Measured, Graph]]) -> None:
    costs: list[tuple[Measured, GraphCost]] = [
        (row, graph_cost(graph, infer(graph))) for row, graph in graphs if row.median_ms is not None
    ]
    law, stored = law_of(costs), load_latency_law(FOLDER / "latency.yaml")
    assert stored.ms_per_gmac == pytest.approx(law["ms_per_gmac"], rel=1e-3)
    assert stored.ms_per_products_mb == pytest.approx(law["ms_per_products_mb"], rel=1e-3)
    assert law["median_error"] <= 0.25
    for row, cost in costs:
        estimate = stored.estimate(cost)
        assert abs(estimate.ms - (row.median_ms or 0)) < 0.5 * (row.median_ms or 0) and not estimate.lower_bound


def test_fit_finds_a_law_that_holds() -> None:
    features = np.abs(np.random.default_rng(0).standard_normal((9, 2)))
    assert fit(features, features @ [2.0, 0.5]) == pytest.approx([2.0, 0.5])
    assert leave_one_out(features, features @ [2.0, 0.5]).max() < 1e-9
    assert (fit(features, features @ [2.0, -0.1] + 1) >= 0).all()
