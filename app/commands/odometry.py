"""``roma-device evaluate odometry``: trajectories against true ones."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command("odometry")
@click.argument("trajectory", type=PATH, required=False)
@click.argument("reference", type=PATH, required=False)
@click.option("--index", type=PATH, help="JSON file that lists sequences: run odometry over those with true poses.")
@click.option("--points", type=click.IntRange(50, 2000), default=400, show_default=True, help="Points to follow.")
@click.option(
    "--tracker", default="klt", show_default=True, help="klt, or a two_view model that follows them: folder or name."
)
@click.option("--json", "as_json", is_flag=True, help="JSON to stdout.")
def evaluate_odometry(
    trajectory: Path | None, reference: Path | None, index: Path | None, points: int, tracker: str, as_json: bool
) -> None:
    """Judge TRAJECTORY by REFERENCE (TUM or KITTI files): ATE, RPE and segment errors.

    Or run odometry over the sequences of --index.
    """
    if (index is None) == (trajectory is None or reference is None) or (index is not None and trajectory is not None):
        raise click.UsageError("give either TRAJECTORY and REFERENCE, or --index INDEX")
    from roma_device.app.evaluate.odometry.evaluate import evaluate_files, evaluate_index
    from roma_device.app.run.build_pipelines import open_tracker
    from roma_device.runtime.matching_network import NetworkOptions
    from roma_device.runtime.odometry.stereo_odometry import OdometryOptions

    if index is not None:
        with closing(open_tracker(tracker, NetworkOptions())) as followed_by:
            report = evaluate_index(index, OdometryOptions(points=points), followed_by)
    else:
        assert trajectory is not None and reference is not None
        report = evaluate_files(trajectory, reference)
    click.echo(json.dumps(report.as_json()) if as_json else report.as_text())
