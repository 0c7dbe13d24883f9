"""``roma-device config``: the settings that the service runs with, as versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import PATH, json_option, show
from .rollout_options import take_trial, trial_options


@click.group()
def config() -> None:
    """Install, list, use and roll back the settings of the service."""


@config.command()
@click.argument("path", type=PATH)
@click.option("--use/--no-use", "is_used", default=True, help="Put them to use.  [default: --use]")
@trial_options
@json_option
def install(path: Path, is_used: bool, as_json: bool, **options: Any) -> int:
    """Install the settings in PATH: checked, stored as a version, and put to use on trial.

    On trial they go back by themselves unless good frames come in time; exit code 1 says that they did.
    """
    from roma_device.app.rollout import settings_commands

    outcome = settings_commands.install(path, is_used, take_trial(options))
    show(outcome, as_json)
    return outcome.exit_code


@config.command("list")
@json_option
def list_versions(as_json: bool) -> None:
    """List the installed versions; a star marks the one in use."""
    from roma_device.app.rollout import settings_commands

    show(settings_commands.version_list(), as_json)


@config.command("show")
@click.argument("number", type=click.IntRange(1), required=False)
def show_one(number: int | None) -> None:
    """Print version NUMBER, by default the settings in use."""
    from roma_device.app.rollout import settings_commands

    click.echo(settings_commands.content(number), nl=False)


@config.command()
@click.argument("number", type=click.IntRange(1))
@trial_options
@json_option
def use(number: int, as_json: bool, **options: Any) -> int:
    """Put version NUMBER to use."""
    from roma_device.app.rollout import settings_commands

    outcome = settings_commands.use(number, take_trial(options))
    show(outcome, as_json)
    return outcome.exit_code


@config.command()
@json_option
def rollback(as_json: bool) -> None:
    """Go back to the version in use before, and before the first one to /etc/roma-device/config.yaml."""
    from roma_device.app.rollout import settings_commands

    show(settings_commands.rollback(), as_json)
