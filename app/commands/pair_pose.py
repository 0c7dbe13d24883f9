"""Options of ``run`` for the relative pose between the two images of a pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .options import together

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
