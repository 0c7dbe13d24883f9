"""``roma-device cameras``."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON to stdout.")
def cameras(as_json: bool) -> None:
    """List the cameras of this machine: formats, sizes, rates, bus and stable names.

    /dev/videoN may change at every start; give the by-path name to --camera v4l2:LEFT,RIGHT.
    """
    from roma_device.app.cameras.v4l2.discover import cameras_as_json, cameras_as_text, find_cameras

    found = find_cameras()
    click.echo(json.dumps(cameras_as_json(found)) if as_json else cameras_as_text(found))
