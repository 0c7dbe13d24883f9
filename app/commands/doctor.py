"""``roma-device doctor``: diagnosis of the machine, the settings and the service."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH, Listing, json_option, show


@click.command()
@click.option("--config", type=PATH, help="Settings to check.  [default: the service's]")
@json_option
def doctor(config: Path | None, as_json: bool) -> int:
    """Look for all that can be wrong on this machine, with what helps.

    Exit code 0: all is well, 1: there are warnings, 2: something is broken.
    """
    from roma_device.app.doctor.report import examine, exit_code, findings_as_text

    findings = examine(config)
    show(Listing([finding.as_json() for finding in findings], findings_as_text(findings)), as_json)
    return exit_code(findings)
