"""``roma-device service``: install, uninstall, status, logs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from .options import PATH, json_option, show

ROOT_OPTION = click.option(
    "--root",
    type=PATH,
    default=Path("/"),
    help="Write the files under this folder and run nothing, as for a package.",
)
DRY_OPTION = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@click.group()
def service() -> None:
    """Run as a systemd service that stays up."""


@service.command()
@ROOT_OPTION
@DRY_OPTION
@click.option("--executable", type=PATH, help="Program that the unit starts.  [default: this one]")
@click.option(
    "--engine",
    type=click.Choice(["ax", "axcl", "host"]),
    help="Grant what it needs: the board's NPU, a PCIe card, none.  [default: what the machine has]",
)
def install(root: Path, dry_run: bool, executable: Path | None, engine: Literal["ax", "axcl", "host"] | None) -> None:
    """Write unit, rights of the engine, user and settings, and let systemd read them."""
    from roma_device.app.service.install import UNIT, own_executable
    from roma_device.app.service.install import install as install_service

    for line in install_service(executable or own_executable(), root, dry_run, engine):
        click.echo(f"would {line}" if dry_run else line)
    if root == Path("/") and not dry_run:
        click.echo(f"now edit /etc/roma-device/config.yaml, then: systemctl enable --now {UNIT}")


@service.command()
@ROOT_OPTION
@DRY_OPTION
def uninstall(root: Path, dry_run: bool) -> None:
    """Stop the service and remove its files; settings, state and user stay."""
    from roma_device.app.service.install import uninstall as uninstall_service

    for line in uninstall_service(root, dry_run):
        click.echo(f"would {line}" if dry_run else line)


@service.command()
@json_option
def status(as_json: bool) -> int:
    """Whether it runs and how it is doing. Exit code 0: it runs, 3: it does not, 4: it is not installed."""
    from roma_device.app.service.state import service_state

    state = service_state()
    show(state, as_json)
    return state.exit_code


@service.command()
@click.option("--lines", type=click.IntRange(1), default=100, show_default=True, help="So many of the latest lines.")
@click.option("--follow", is_flag=True, help="Go on with new ones.")
def logs(lines: int, follow: bool) -> None:
    """The service's messages, from systemd's journal."""
    import os

    from roma_device.app.service.install import UNIT, ServiceError

    command = ["journalctl", f"--unit={UNIT}", f"--lines={lines}", "--no-pager", *(["--follow"] if follow else [])]
    try:
        os.execvp(command[0], command)
    except OSError:
        raise ServiceError("journalctl is not on this machine: services need systemd") from None
