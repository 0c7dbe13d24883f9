"""``roma-device recording``: what recordings hold, parts of them, and files that other programs open."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .options import PATH, Listing, json_option, show

FORMATS = ["rosbag2", "mcap", "euroc", "kitti", "video"]


@click.group()
def recording() -> None:
    """Look into recordings, check, cut and export them."""


@recording.command()
@click.argument("path", type=PATH)
@json_option
def info(path: Path, as_json: bool) -> None:
    """Show what the recording PATH holds."""
    from roma_device.app.replay_tools.info import RecordingInfo
    from roma_device.app.replay_tools.stored import StoredRecording

    show(RecordingInfo.read(StoredRecording.find(path)), as_json)


@recording.command()
@click.argument("path", type=PATH)
@json_option
def verify(path: Path, as_json: bool) -> int:
    """Read every pair of the recording PATH with its checksum; the exit code is 65 where one is damaged."""
    from roma_device.app.replay_tools.info import RecordingInfo
    from roma_device.app.replay_tools.stored import StoredRecording

    found = RecordingInfo.read(StoredRecording.find(path))
    show(found, as_json)
    return os.EX_OK if found.is_whole else os.EX_DATAERR


@recording.command()
@click.argument("path", type=PATH)
@click.option("--from", "start_s", type=click.FloatRange(0), default=0.0, help="Seconds after the first pair.")
@click.option("--to", "end_s", type=click.FloatRange(0), default=float("inf"), help="Seconds after the first pair.")
@click.option("--output", type=PATH, required=True, help="Folder in which the new recording gets its own.")
@json_option
def cut(path: Path, start_s: float, end_s: float, output: Path, as_json: bool) -> None:
    """Copy a part of the recording PATH, to the bit; of a damaged one what stands before the damage."""
    from roma_device.app.replay_tools import cut as tool
    from roma_device.app.replay_tools.stored import StoredRecording

    show(tool.cut(StoredRecording.find(path), output, start_s, end_s), as_json)


@recording.command()
@click.argument("path", type=PATH)
@click.option("--format", "format_name", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option("--output", type=PATH, required=True, help="File (mcap, video) or folder, not there yet.")
@json_option
def export(path: Path, format_name: str, output: Path, as_json: bool) -> None:
    """Write the recording PATH for other programs."""
    from roma_device.app.replay_tools.export import export as write
    from roma_device.app.replay_tools.stored import StoredRecording

    pairs = write(StoredRecording.find(path), output, format_name)
    show(Listing({"output": str(output), "pairs": pairs}, f"{output}: {pairs} pairs"), as_json)
