"""``roma-device doctor``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings to check.  [default: the service's]")
@click.option("--json", "as_json", is_flag=True, help="JSON to stdout.")
def doctor(config: Path | None, as_json: bool) -> int:
    """Look for all that can be wrong on this machine, with what helps.

    Exit code 0: all is well, 1: there are warnings, 2: something is broken.
    """
    import json

    from roma_device.app.doctor.report import examine, exit_code, findings_as_text

    findings = examine(config)
    click.echo(json.dumps([finding.as_json() for finding in findings]) if as_json else findings_as_text(findings))
    return exit_code(findings)
