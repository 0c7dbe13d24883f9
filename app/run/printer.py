"""Stdout of a run: a line for each result, and what it all amounts to at the end."""

from __future__ import annotations

import json
import textwrap

import click

from roma_device.app.service.live_stats import LiveStats
from roma_device.app.service.monitor import Monitor
from roma_device.app.sinks.results import result_record
from roma_device.app.sinks.trajectory import HEADER, tum_line
from roma_device.runtime.types import Result

from .calibration_watch import CalibrationWatch
from .summary import Summary


class JsonPrinter:
    """Observer: a JSON record for each result."""

    def __init__(self, stats: LiveStats) -> None:
        self._stats = stats

    def observe(self, result: Result) -> None:
        click.echo(json.dumps({**result_record(result), **self._live_record()}))

    def _live_record(self) -> dict[str, float | None]:
        """What only a live camera can tell of a frame."""
        if not self._stats.source.is_live:
            return {}
        last = self._stats.recent[-1]
        return {
            "latency_ms": None if last.latency_ms is None else round(last.latency_ms, 3),
            "mailbox_age_ms": round(last.mailbox_age_ms, 3),
        }


class PosePrinter:
    """Observer: a TUM line where there is a pose; with the remarks around it, stdout is a trajectory."""

    def observe(self, result: Result) -> None:
        if result.pose is None:
            return
        if result.index == 0:
            click.echo(HEADER)
        if result.pose.odom_from_camera is None:
            click.echo(f"# frame {result.index} lost: {', '.join(result.pose.reasons)}")
        else:
            click.echo(tum_line(result.pose.timestamp_ns, result.pose.odom_from_camera))


def print_report(summary: Summary, monitor: Monitor, watch: CalibrationWatch, as_json: bool) -> None:
    """The end of a run."""
    live = monitor.stats.source.is_live
    if as_json:
        record = summary.as_json() | ({"live": monitor.status()} if live else {})
        click.echo(json.dumps({"summary": record, "calibration": watch.as_json()}))
    else:
        text = summary.as_text() + (f"\n{monitor.stats.as_line()}" if live else "")
        click.echo(textwrap.indent(text, "# ") if summary.poses.states else text)
