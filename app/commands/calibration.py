"""``roma-device calibration``: the stored versions, and files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import PATH, json_option, show, size_option

if TYPE_CHECKING:
    from roma_device.calibration.arrays import Size

FORMATS = ["own", "ros", "opencv", "kalibr", "kitti", "euroc", "middlebury"]


@click.group()
def calibration() -> None:
    """Show, list, use, roll back, import and export calibrations."""


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
def use(number: int) -> None:
    """Put version NUMBER to use."""
    from roma_device.app.calibrate import store_command

    click.echo(store_command.use(number))


@calibration.command()
def rollback() -> None:
    """Go back to the version in use before."""
    from roma_device.app.calibrate import store_command

    click.echo(store_command.rollback())


@calibration.command("import")
@click.argument("paths", type=PATH, nargs=-1, required=True)
@click.option("--format", "format_name", type=click.Choice(FORMATS), help="[default: by what is in the file]")
@size_option("the images, where the file does not tell.")
@click.option("--output", type=PATH, help="Write our format to this file instead of storing a version.")
def import_file(paths: tuple[Path, ...], format_name: str | None, size: Size | None, output: Path | None) -> None:
    """Take over a calibration of ROS, OpenCV, Kalibr, KITTI, EuRoC or Middlebury as a new version.

    PATHS is one file, the left and the right camera's, or a folder with both.
    """
    from roma_device.app.calibrate import store_command

    click.echo(store_command.import_files(list(paths), format_name, size, output))


@calibration.command()
@click.argument("which", required=False)
@click.option("--format", "format_name", type=click.Choice(FORMATS[:4]), required=True, help="Format to write.")
@click.option("--output", type=PATH, required=True, help="File, or for ros the folder of left.yaml and right.yaml.")
@click.option("--force", is_flag=True, help="Replace what is there.")
def export(which: str | None, format_name: str, output: Path, force: bool) -> None:
    """Write a version (its number), a file, or by default the version in use for another program."""
    from roma_device.app.calibrate import store_command

    click.echo(store_command.export(which, format_name, output, force))
