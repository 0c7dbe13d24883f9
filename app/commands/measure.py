"""``roma-device measure``: depth quality without ground truth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from roma_device.calibration.errors import RomaError

from .options import PATH, camera_options, json_option, model_options, settings_from_options, show


@click.command()
@camera_options
@model_options
@click.option("--frames", type=click.IntRange(1, 1000), default=30, show_default=True, help="How many to take.")
@click.option("--preset", help="How depth is cleaned: raw, obstacles, dense or smooth.  [default: raw]")
@click.option("--region", help="LEFT,TOP,RIGHT,BOTTOM of the flat target, as shares.  [default: 0.3,0.3,0.7,0.7]")
@click.option("--tape-m", type=click.FloatRange(0, min_open=True), help="True distance to the target, by a tape.")
@click.option("--page", type=PATH, help="HTML file to write the report into.")
@json_option
def measure(
    config: Path | None,
    as_json: bool,
    frames: int,
    region: str | None,
    tape_m: float | None,
    page: Path | None,
    **options: Any,
) -> None:
    """Measure depth of a still camera in front of a flat, textured target: fill, plane fit, temporal noise, sharpness
    of depth edges, and the distance against a tape.

    Once for each distance that matters.
    """
    from roma_device.app.measure.command import MIDDLE, run_measure
    from roma_device.calibration.storage.files import write_atomic

    settings = settings_from_options(config, options)
    report = run_measure(settings, frames, MIDDLE if region is None else _region(region), tape_m)
    if page is not None:
        try:
            write_atomic(page, report.as_page().encode())
        except OSError as error:
            raise RomaError(f"cannot write {page}: {error.strerror}", exit_code=os.EX_CANTCREAT) from error
    show(report, as_json)


def _region(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        left = top = right = bottom = float("nan")
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        message = f"--region {text}: write LEFT,TOP,RIGHT,BOTTOM from 0 to 1, as in 0.3,0.3,0.7,0.7"
        raise RomaError(message, exit_code=os.EX_USAGE)
    return left, top, right, bottom
