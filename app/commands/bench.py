"""``roma-device bench``: latency of every stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import camera_options, json_option, model_options, settings_from_options, show


@click.command()
@camera_options
@model_options
@click.option("--repeat", type=click.IntRange(1), default=100, show_default=True, help="Measured runs.")
@click.option("--warmup", type=click.IntRange(0), default=5, show_default=True, help="Runs before that.")
@click.option(
    "--task", type=click.Choice(["depth", "pose"]), default="depth", show_default=True, help="What to measure."
)
@json_option
def bench(config: Path | None, as_json: bool, task: str, repeat: int, warmup: int, **options: Any) -> None:
    """Measure the latency of every stage on the camera's first frame.

    Without --camera: the simulated rig at 640x320 px. --task pose: from a dense warp to a pose, without the network.
    """
    if task == "pose":
        from roma_device.app.benchmark.pose import bench_pose

        show(bench_pose(repeat, warmup, options["threads"] or 0), as_json)
    else:
        from roma_device.app.benchmark.stereo import bench_from_settings

        show(bench_from_settings(settings_from_options(config, options), repeat, warmup), as_json)
