"""``roma-device cameras``: the V4L2 cameras of this machine."""

from __future__ import annotations

import click

from .options import Listing, json_option, show


@click.command()
@json_option
def cameras(as_json: bool) -> None:
    """List the cameras of this machine: formats, sizes, rates, bus and stable names.

    /dev/videoN may change at every start; give the by-path name to --camera v4l2:LEFT,RIGHT.
    """
    from roma_device.app.cameras.v4l2.discover import cameras_as_json, cameras_as_text, find_cameras

    found = find_cameras()
    show(Listing(cameras_as_json(found), cameras_as_text(found)), as_json)
