"""``roma-device calibration``: the stored versions, and files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import PATH, json_option, show, size_option
from .rollout_options import take_trial, trial_options

if TYPE_CHECKING:
    from roma_device.calibration.arrays import Size

FORMATS = ["own", "ros", "opencv", "kalibr", "kitti", "euroc", "middlebury", "orbslam", "zed", "oak"]


@click.group()
def calibration() -> None:
    """Show, list, install, use, roll back, import and export calibrations."""


@calibration.command("list")
@json_option
def list_versions(as_json: bool) -> None:
    """List the stored versions; a star marks the one in use."""
    from roma_device.app.calibrate import store_command

    show(store_command.stored_versions(), as_json)


@calibration.command("show")
@click.argument("which", required=False)
@json_option
def show_one(which: str | None, as_json: bool) -> None:
    """Show a version (its number), a file, or by default the version in use."""
    from roma_device.app.calibrate import store_command

    show(store_command.chosen(which), as_json)


@calibration.command()
@click.argument("number", type=click.IntRange(1))
@trial_options
@json_option
def use(number: int, as_json: bool, **options: Any) -> int:
    """Put version NUMBER to use."""
    from roma_device.app.rollout import calibration_commands

    outcome = calibration_commands.use(number, take_trial(options))
    show(outcome, as_json)
    return outcome.exit_code


@calibration.command()
@click.argument("path", type=PATH)
@trial_options
@json_option
def install(path: Path, as_json: bool, **options: Any) -> int:
    """Import a calibration file and put it to use, on trial where the service serves it.

    On trial it goes back by itself unless good frames come in time; exit code 1 says that it did.
    """
    from roma_device.app.rollout import calibration_commands

    outcome = calibration_commands.install(path, take_trial(options))
    show(outcome, as_json)
    return outcome.exit_code


@calibration.command()
def rollback() -> None:
    """Go back to the version in use before."""
    from roma_device.app.calibrate import store_command

    click.echo(store_command.rollback())


@calibration.command("import")
@click.argument("paths", type=PATH, nargs=-1, required=True)
@click.option("--format", "format_name", type=click.Choice(FORMATS), help="[default: by what is in the file]")
@size_option("the images, where the file does not tell or holds several.")
@click.option("--swap", is_flag=True, help="The file's first camera is the right one.")
@click.option(
    "--unit", type=click.Choice(["m", "cm", "mm", "inch"]), help="Unit of the file's lengths. [default: the format's]"
)
@click.option("--cameras", type=click.Choice(["grey", "colour"]), help="Of KITTI's two pairs.  [default: colour]")
@click.option("--output", type=PATH, help="Write our format to this file instead of storing a version.")
@click.option("--force", is_flag=True, help="Replace --output where it exists.")
def import_file(
    paths: tuple[Path, ...],
    format_name: str | None,
    size: Size | None,
    swap: bool,
    unit: str | None,
    cameras: str | None,
    output: Path | None,
    force: bool,
) -> None:
    """Take over a calibration of another program or data set (see --format) as a new version.

    PATHS is one file, the left and the right camera's, or a folder with both.
    """
    from roma_device.app.calibrate import store_command

    imported = store_command.import_files(
        list(paths), format_name, size, output, swap=swap, unit=unit, cameras=cameras, force=force
    )
    click.echo(imported)


@calibration.command()
@click.argument("which", required=False)
@click.option("--format", "format_name", type=click.Choice(FORMATS[:4]), required=True, help="Format to write.")
@click.option("--output", type=PATH, required=True, help="File, or for ros the folder of left.yaml and right.yaml.")
@click.option("--force", is_flag=True, help="Replace what is there.")
def export(which: str | None, format_name: str, output: Path, force: bool) -> None:
    """Write a version (its number), a file, or by default the version in use for another program."""
    from roma_device.app.calibrate import store_command

    click.echo(store_command.export(which, format_name, output, force))
