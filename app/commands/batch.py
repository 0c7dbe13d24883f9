"""``roma-device batch``: many recordings with the same settings, on as many workers as there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import (
    PATH,
    Listing,
    config_option,
    geometry_options,
    json_option,
    model_options,
    on_option,
    settings_from_options,
    show,
)
from .verbosity import is_quiet


class _WithInputs(click.Group):
    """A group whose first word may be an input: then it is the group's first command that is meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The first command goes by the group's own name."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if command is not None and command.hidden else name), command, rest


@click.group(cls=_WithInputs)
def batch() -> None:
    """Process many recordings; resumes after anything."""


@batch.command(name="inputs", hidden=True, epilog="Also: roma-device batch status DIR, roma-device batch report DIR.")
@click.argument("inputs", nargs=-1)
@click.option("--output", type=PATH, required=True, help="Folder of the batch; with its job in it, that goes on.")
@on_option
@click.option("--retries", type=click.IntRange(0, 100), default=2, show_default=True, help="Further tries of an item.")
@config_option
@geometry_options
@model_options
@click.option("--input-width", type=click.IntRange(32), help="Width of the network's input in px.  [default: 640]")
@click.option("--task", help="depth, pose, obstacles; or some.  [default: depth]")
@click.option("--save", help="As for run.  [default: depth or disparity, preview, results; for poses their trajectory]")
@click.option("--frames", type=click.IntRange(1), help="Stop each item after so many frames.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), help="Drop less certain pixels.")
@click.option("--min-depth-m", type=float, help="Nearest depth that counts.")
@click.option("--max-depth-m", type=float, help="Farthest depth that counts.")
@click.option("--preset", help="How depth is cleaned: raw, obstacles, dense or smooth.  [default: raw]")
@json_option
def run_inputs(
    inputs: tuple[str, ...],
    output: Path,
    on: str | None,
    retries: int,
    config: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Process INPUTS, each as run would: recordings, folders of them, videos, folders of pairs, an index (.json).

    What an item gives appears in DIR/items/NAME at once and whole. Items that fail are listed and do not stop the
    others. The same command, or one without INPUTS, goes on after anything.
    """
    from roma_device.app.batch.command import BatchChoice, run_batch
    from roma_device.app.batch.job import frozen_settings

    settings = settings_from_options(config, options, None if inputs else frozen_settings(output))
    choice = BatchChoice(inputs, output, on or "local:1", retries, as_json, is_quiet())
    return run_batch(settings, choice)


@batch.command()
@click.argument("folder", type=PATH, metavar="DIR")
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Tell how far the batch in DIR is, and what failed."""
    from roma_device.app.batch.status import BatchStatus

    show(BatchStatus.read(folder), as_json)


@batch.command()
@click.argument("folder", type=PATH, metavar="DIR")
@json_option
def report(folder: Path, as_json: bool) -> None:
    """Write DIR/report.html: figures of each item, the worst first with previews, and what failed."""
    from roma_device.app.batch.report import write_report

    page = str(write_report(folder))
    show(Listing({"page": page}, page), as_json)
