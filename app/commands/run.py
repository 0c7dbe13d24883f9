"""``roma-device run``: frames to disparity, depth and poses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import PATH, camera_options, json_option, model_options, settings_from_options
from .pair_pose import pair_pose_options, take_pair_pose

if TYPE_CHECKING:
    from roma_device.app.settings.settings import Settings


@click.command()
@camera_options
@model_options
@click.option("--task", help="depth, pose (the rig's way, as a TUM trajectory) or depth,pose.  [default: depth]")
@click.option("--output", type=PATH, help="Folder for what --save names.")
@click.option("--save", help="Comma-separated: disparity, depth, confidence, preview, ply, mcap, trajectory, results.")
@click.option("--frames", type=click.IntRange(1), help="Stop after so many frames.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), help="Drop less certain pixels.")
@click.option("--max-fps", type=click.FloatRange(0.1), help="Process at most so many frames per second.")
@click.option("--record", type=PATH, help="Folder to record the raw pairs into.")
@click.option("--min-depth-m", type=float, help="Nearest depth that counts.")
@click.option("--max-depth-m", type=float, help="Farthest depth that counts.")
@pair_pose_options
@json_option
def run(config: Path | None, as_json: bool, **options: Any) -> int:
    """Turn stereo frames into disparity and metric depth, and into poses (--task pose): the rig's way, or with
    --intrinsics how the two cameras of each pair stand to each other."""
    from roma_device.app.run.command import run_from_settings

    if (pair_pose := take_pair_pose(options, as_json)) is not None:
        return pair_pose(settings_from_options(config, options))

    def load() -> Settings:
        return settings_from_options(config, options)

    return run_from_settings(load(), load, as_json)
