"""Prometheus metrics of what a run serves with: installed versions, trials, and the calibration's age."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from roma_device.calibration.made_at import made_at_utc


class InstalledCollector(Collector):
    """Reads the facts of a run when it is asked for; a run that does not know them has no such metrics."""

    def __init__(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        facts = self._facts()
        version = GaugeMetricFamily("roma_installed_version", "In use; 0: none", labels=("kind",))
        trial = GaugeMetricFamily("roma_on_trial", "1 while the one in use has yet to show itself", labels=("kind",))
        returned = GaugeMetricFamily("roma_returned_version", "That went back last; 0: none", labels=("kind",))
        for kind, each in facts.get("installed", {}).items():
            version.add_metric((kind,), each["version"] or 0)
            trial.add_metric((kind,), each["on_trial"])
            returned.add_metric((kind,), each["returned"]["version"] if each["returned"] else 0)
        yield from (version, trial, returned)
        made = made_at_utc(facts.get("serving", {}).get("calibration", {}).get("made_at", ""))
        if made is not None:
            about = "When it was made, since 1970"
            yield GaugeMetricFamily("roma_calibration_timestamp_seconds", about, value=made.timestamp())
