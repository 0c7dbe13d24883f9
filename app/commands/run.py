"""``roma-device run``: frames to disparity, depth and poses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import PATH, camera_options, json_option, model_options, settings_from_options, together
from .verbosity import is_quiet

if TYPE_CHECKING:
    from roma_device.app.settings.settings import Settings

MATCHER_HELP = "two-view (our network), sift, orb, or another two-view bundle: folder or name.  [default: two-view]"


pair_pose_options = together(
    click.option(
        "--intrinsics",
        multiple=True,
        help="With --task pose, the pose between the images of each pair: FX,FY,CX,CY[@WIDTHxHEIGHT] in px, a "
        "calibration file, rig (compares with --calibration), or unknown. Twice where the cameras differ.",
    ),
    click.option("--matcher", help=f"With --intrinsics: {MATCHER_HELP}"),
)
"""Options of ``run`` for the pose between the two images of a pair."""


def take_pair_pose(options: dict[str, Any], as_json: bool) -> Callable[[Settings], int] | None:
    """Take the options above out of ``options``; who is to run if it is a pair's pose that is asked for.

    A model that is named is the matcher of pairs. Raises click.UsageError.
    """
    intrinsics, matcher = (options.pop(name) for name in ("intrinsics", "matcher"))
    if not intrinsics:
        if matcher:
            raise click.UsageError("--matcher needs --intrinsics: FX,FY,CX,CY, a calibration file, rig or unknown.")
        return None
    if options["task"] != "pose":
        raise click.UsageError("--intrinsics is for --task pose.")
    if matcher and options["model"]:
        raise click.UsageError("--matcher and --model both name who matches: give one of them.")
    chosen = matcher or options["model"]

    def run(settings: Settings) -> int:
        from roma_device.app.pair_pose.command import PairPoseChoice, run_pair_pose

        return run_pair_pose(settings, PairPoseChoice(intrinsics, chosen, as_json))

    return run


@click.command()
@camera_options
@model_options
@click.option("--input-width", type=click.IntRange(32), help="Width of the network's input in px.  [default: 640]")
@click.option("--task", help="depth, pose (the rig's way, as a TUM trajectory), obstacles; or some.  [default: depth]")
@click.option("--output", type=PATH, help="Folder for what --save names.")
@click.option(
    "--save",
    help="Comma-separated: disparity, depth, confidence, preview, ply, mcap, mcap-raw, rosbag2, trajectory, scan, "
    "grid, results.",
)
@click.option(
    "--existing", help="Where --output holds another run: number (DIR-2...), resume or refuse.  [default: number]"
)
@click.option("--resume", is_flag=True, help="Short for --existing resume: go on with the run in --output.")
@click.option(
    "--publish",
    multiple=True,
    help="Give results to other programs too: shm:NAME, zenoh, ros2, mqtt:HOST, foxglove; with ?options; repeatable.",
)
@click.option("--frames", type=click.IntRange(1), help="Stop after so many frames.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), help="Drop less certain pixels.")
@click.option("--max-fps", type=click.FloatRange(0.1), help="Process at most so many frames per second.")
@click.option("--record", type=PATH, help="Folder to record the raw pairs into.")
@click.option("--min-depth-m", type=float, help="Nearest depth that counts.")
@click.option("--max-depth-m", type=float, help="Farthest depth that counts.")
@click.option(
    "--view",
    is_flag=False,
    flag_value="8090",
    callback=lambda _, __, value: f"127.0.0.1:{value}" if value and value.isdecimal() else value,
    metavar="[PORT]",
    help="Live page for a browser, on this machine alone; a port, or an address.  [default port: 8090]",
)
@click.option("--preset", help="How depth is cleaned: raw, obstacles, dense or smooth.  [default: raw]")
@pair_pose_options
@json_option
def run(config: Path | None, as_json: bool, **options: Any) -> int:
    """Turn stereo frames into disparity and metric depth, and into poses (--task pose): the rig's way, or with
    --intrinsics how the two cameras of each pair stand to each other."""
    from roma_device.app.run.command import run_from_settings

    _take_resume(options)
    if (pair_pose := take_pair_pose(options, as_json)) is not None:
        return pair_pose(settings_from_options(config, options))

    def load() -> Settings:
        return settings_from_options(config, options)

    if config is not None and str(config) == "installed":
        from roma_device.app.run.installed import run_installed

        return run_installed(load, as_json, is_quiet())
    return run_from_settings(load(), load, as_json, is_quiet())


def _take_resume(options: dict[str, Any]) -> None:
    """Raises click.UsageError."""
    if options.pop("resume"):
        if options["existing"] not in (None, "resume"):
            raise click.UsageError("--resume and --existing contradict each other.")
        options["existing"] = "resume"
