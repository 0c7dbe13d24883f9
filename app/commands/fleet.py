"""``roma-device fleet``: many boards at a glance."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .options import PATH, json_option, show


@click.group()
def fleet() -> None:
    """Look after many boards."""


@fleet.command()
@click.argument("boards", type=PATH)
@click.option(
    "--timeout-s",
    type=click.FloatRange(0.2, 60),
    default=3.0,
    show_default=True,
    help="By then every board has answered, or counts as stalled or dead.",
)
@json_option
def status(boards: Path, timeout_s: float, as_json: bool) -> int:
    """Who is well, and which versions, models and calibrations the boards serve with.

    BOARDS is a YAML file: boards: {NAME: http://HOST:9470, NAME: ssh://USER@HOST}. Exit code 1: some are not well.
    """
    from roma_device.app.fleet.ask import ask_all
    from roma_device.app.fleet.boards import load_fleet
    from roma_device.app.fleet.report import FleetReport

    report = FleetReport(ask_all(load_fleet(boards), timeout_s))
    show(report, as_json)
    return report.exit_code


@fleet.command()
@click.argument("boards", type=PATH)
def targets(boards: Path) -> None:
    """Print BOARDS as Prometheus reads them (file_sd_configs)."""
    from roma_device.app.fleet.boards import load_fleet
    from roma_device.app.fleet.targets import file_sd, left_out

    fleet = load_fleet(boards)
    click.echo(json.dumps(file_sd(fleet), indent=1))
    if names := left_out(fleet):
        click.echo(f"left out, as Prometheus does not ask through ssh: {', '.join(names)}", err=True)
