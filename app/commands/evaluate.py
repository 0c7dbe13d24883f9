"""``roma-device evaluate``: stereo, pose and odometry against ground truth."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from .options import PATH, engine_options, json_option, model_options, on_option, settings_from_options, show
from .run import MATCHER_HELP


@click.group()
def evaluate() -> None:
    """Measure accuracy on data with ground truth."""


def _shifts(context: click.Context, option: click.Parameter, text: str | None) -> list[float] | None:
    """The numbers of ``--shift-rows``; raises click.BadParameter."""
    if text is None:
        return None
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < 100 for number in numbers):
        raise click.BadParameter(f"{text!r} is not a list of numbers above 0, such as 0.25,0.5,1")
    return numbers


@evaluate.command()
@click.argument("index", type=PATH)
@model_options
@click.option("--compare", type=click.Choice(["sgbm"]), multiple=True, help="Baseline to run beside it.")
@click.option(
    "--shift-rows", callback=_shifts, help="Shift right images by these px up and down instead, such as 0.25,0.5,1,2."
)
@click.option("--write-card", is_flag=True, help="With --shift-rows: note what is tolerated in the model's card.")
@on_option
@json_option
def stereo(
    index: Path,
    compare: tuple[str, ...],
    shift_rows: list[float] | None,
    write_card: bool,
    on: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Score the stereo model on the rectified pairs that INDEX (JSON) lists."""
    if on is not None and shift_rows is not None:
        raise click.UsageError("--on is not for --shift-rows, which one process measures.")
    settings = settings_from_options(None, options)
    if shift_rows is None:
        from roma_device.app.evaluate.stereo.evaluate import evaluate_from_settings

        show(evaluate_from_settings(settings, index, compare, on), as_json)
    else:
        from roma_device.app.evaluate.stereo.vertical_tolerance import tolerance_from_settings

        show(tolerance_from_settings(settings, index, shift_rows, write_card), as_json)


@evaluate.command()
@click.argument("pairs", type=PATH)
@click.option("--matcher", "--model", help=MATCHER_HELP)
@click.option(
    "--format", "format_name", help="own, superglue, megadepth or scannet.  [default: by what is in the file]"
)
@click.option("--images", type=PATH, help="Folder of the images.  [default: that of PAIRS]")
@click.option(
    "--size",
    type=click.IntRange(0),
    default=640,
    show_default=True,
    help="Longer side in px that images are resized to; 0: as they are.",
)
@engine_options
@click.option("--no-baseline", is_flag=True, help="Leave SIFT and ORB with OpenCV's MAGSAC away.")
@click.option("--vary", help="Score changed pairs too, whose truth follows exactly: some of roll,scale,crop,both.")
@click.option("--plot", type=PATH, help="With --vary: draw AUC@10 over roll and scale into this PNG.")
@on_option
@json_option
def pose(pairs: Path, vary: str | None, plot: Path | None, as_json: bool, **options: Any) -> None:
    """Score relative poses on the pairs that PAIRS lists: AUC at 5, 10 and 20 degrees.

    The error of a pair is the larger of the rotation's angle and that between the translations' directions. PAIRS is
    our JSON, a list of SuperGlue's kind, or an index (.npz) of MegaDepth-1500 or ScanNet-1500.
    """
    if plot is not None and (vary is None or plot.suffix.lower() != ".png"):
        raise click.UsageError("--plot draws the variations of --vary into a file that ends in .png")
    from roma_device.app.evaluate.pose.evaluate import PoseEvaluation, run_evaluation, run_variations

    if vary is None:
        show(run_evaluation(PoseEvaluation(pairs, **options)), as_json)
        return
    report = run_variations(PoseEvaluation(pairs, vary=tuple(vary.split(",")), **options))
    if plot is not None:
        report.save_plot(plot)
    show(report, as_json)


@evaluate.command()
@click.argument("trajectory", type=PATH, required=False)
@click.argument("reference", type=PATH, required=False)
@click.option("--index", type=PATH, help="JSON file that lists sequences: run odometry over those with true poses.")
@click.option("--points", type=click.IntRange(50, 2000), default=400, show_default=True, help="Points to follow.")
@click.option(
    "--tracker", default="klt", show_default=True, help="klt, or a two_view model that follows them: folder or name."
)
@on_option
@json_option
def odometry(
    trajectory: Path | None,
    reference: Path | None,
    index: Path | None,
    points: int,
    tracker: str,
    on: str | None,
    as_json: bool,
) -> None:
    """Judge TRAJECTORY by REFERENCE (TUM or KITTI files): ATE, RPE and segment errors.

    Or run odometry over the sequences of --index.
    """
    if (index is None) == (trajectory is None or reference is None) or (index is not None and trajectory is not None):
        raise click.UsageError("give either TRAJECTORY and REFERENCE, or --index INDEX")
    from roma_device.app.evaluate.odometry.evaluate import evaluate_files, evaluate_index, evaluate_index_on
    from roma_device.app.run.from_settings import open_tracker
    from roma_device.runtime.matching_network import NetworkOptions
    from roma_device.runtime.odometry.stereo_odometry import OdometryOptions

    options = OdometryOptions(points=points)
    if index is not None and on is not None:
        report = evaluate_index_on(on, index, options, tracker)
    elif index is not None:
        with closing(open_tracker(tracker, NetworkOptions())) as followed_by:
            report = evaluate_index(index, options, followed_by)
    else:
        assert trajectory is not None and reference is not None
        report = evaluate_files(trajectory, reference)
    show(report, as_json)
