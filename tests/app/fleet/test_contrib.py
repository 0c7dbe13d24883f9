"""The dashboard and the alerts ask for metrics that a run has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from roma_device.app.service.health import Health
from roma_device.app.service.live_stats import LiveStats
from roma_device.app.service.metrics import Metrics
from tests.app.service.conftest import LiveStub, result

CONTRIB = Path(__file__).parents[3] / "contrib"
FACTS = {
    "serving": {"calibration": {"made_at": "2026-01-02T03:04:05Z"}},
    "installed": {"model": {"version": None, "on_trial": True, "returned": {"version": 4}}},
}
OF_SINKS = {"roma_sink_missed_results_total"}
"""Only of a run that saves something."""


class Rows:
    vertical_px = 0.2


@pytest.fixture(scope="module")
def exposition() -> str:
    stats = LiveStats(LiveStub(), Rows())
    metrics = Metrics(Health(stats), "stereo", lambda: FACTS)
    one = result(0)
    metrics.add(one, stats.add(one))
    return metrics.exposition().decode()


def expressions() -> list[str]:
    dashboard = json.loads((CONTRIB / "grafana" / "fleet.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = yaml.safe_load((CONTRIB / "prometheus" / "alerts.yml").read_text())
    return found + [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]


def test_every_metric_that_is_asked_for_is_there(exposition: str) -> None:
    names = {name for text in expressions() for name in re.findall(r"\b(?:roma|process)_\w+", text)}
    assert len(names) > 12 and {name for name in names if f"\n{name}" not in exposition} <= OF_SINKS


def test_installed_versions_and_the_calibrations_age_are_metrics(exposition: str) -> None:
    for line in (
        'roma_installed_version{kind="model"} 0.0',
        'roma_on_trial{kind="model"} 1.0',
        'roma_returned_version{kind="model"} 4.0',
        "roma_calibration_timestamp_seconds 1.767323045e+09",
    ):
        assert f"\n{line}\n" in exposition, line


def test_panels_have_places_of_their_own() -> None:
    dashboard = json.loads((CONTRIB / "grafana" / "fleet.json").read_text())
    cells = [
        (x, y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) == 23
