"""What the command line has for poses of pairs: options of ``run`` and ``bench``, and ``evaluate pose``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from roma_device.app.settings.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])
MATCHER_HELP = "two-view (our network), sift, orb, or another two-view bundle: folder or name.  [default: two-view]"


def pair_pose_options(command: Command) -> Command:
    """Options of ``run`` for the pose between the two images of a pair."""
    for option in (
        click.option("--matcher", help=f"With --intrinsics: {MATCHER_HELP}"),
        click.option(
            "--intrinsics",
            multiple=True,
            help="With --task pose, the pose between the images of each pair: FX,FY,CX,CY[@WIDTHxHEIGHT] in px, a "
            "calibration file, rig (compares with --calibration), or unknown. Twice where the cameras differ.",
        ),
    ):
        command = option(command)
    return command


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


def bench_pose_option(command: Command) -> Command:
    """The option of ``bench`` that measures poses instead of depth."""
    return click.option(
        "--task", type=click.Choice(["depth", "pose"]), default="depth", show_default=True, help="What to measure."
    )(command)


@click.command("pose")
@click.argument("pairs", type=click.Path(path_type=Path))
@click.option("--matcher", "--model", help=MATCHER_HELP)
@click.option(
    "--format", "format_name", help="own, superglue, megadepth or scannet.  [default: by what is in the file]"
)
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images.  [default: that of PAIRS]")
@click.option(
    "--size",
    type=click.IntRange(0),
    default=640,
    show_default=True,
    help="Longer side in px that images are resized to; 0: as they are.",
)
@click.option("--engine", help="Engine of a model.  [default: auto]")
@click.option("--threads", type=click.IntRange(0), help="Threads of a host engine; 0: its own choice.")
@click.option("--precision", help="auto, fp32 or int8, for a model on a host engine.  [default: auto]")
@click.option("--no-baseline", is_flag=True, help="Leave SIFT and ORB with OpenCV's MAGSAC away.")
@click.option("--json", "as_json", is_flag=True, help="JSON to stdout.")
def evaluate_pose(pairs: Path, as_json: bool, **options: Any) -> None:
    """Score relative poses on the pairs that PAIRS lists: AUC at 5, 10 and 20 degrees.

    The error of a pair is the larger of the rotation's angle and that between the translations' directions. PAIRS is
    our JSON, a list of SuperGlue's kind, or an index (.npz) of MegaDepth-1500 or ScanNet-1500.
    """
    from roma_device.app.evaluate.pose.evaluate import PoseEvaluation, run_evaluation

    report = run_evaluation(PoseEvaluation(pairs, **options))
    click.echo(json.dumps(report.as_json()) if as_json else report.as_text())
