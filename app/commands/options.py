"""Options of the command line that several commands share, the settings that come of them, and how a report is shown.

Commands import what they run on use: ``--help`` and ``--version`` load neither numpy nor OpenCV.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from roma_device.calibration.errors import RomaError

if TYPE_CHECKING:
    from roma_device.app.settings.settings import Settings
    from roma_device.calibration.arrays import Size

Command = TypeVar("Command", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)

_DOTTED = {
    "min_depth_m": "depth.min_m",
    "max_depth_m": "depth.max_m",
    "min_confidence": "depth.min_confidence",
    "preset": "depth.preset",
    "view": "page.listen",
    "output": "output.folder",
    "save": "output.save",
    "existing": "output.existing",
}
"""Options whose settings key has another name."""


class Report(Protocol):
    """What a command found."""

    def as_json(self) -> Any:
        """Plain values for json.dumps."""

    def as_text(self) -> str:
        """Lines for a person."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A report of which both forms are there already."""

    record: Any
    text: str

    def as_json(self) -> Any:
        return self.record

    def as_text(self) -> str:
        return self.text


def show(report: Report, as_json: bool) -> None:
    """Print a report to stdout, as ``json_option`` was given or not."""
    click.echo(json.dumps(report.as_json()) if as_json else report.as_text())


def size_option(of: str) -> Callable[[Command], Command]:
    """``--size``: WIDTHxHEIGHT of what ``of`` names, in px; the command gets a Size, None where it is not given."""
    return click.option("--size", callback=_size, help=f"WIDTHxHEIGHT of {of}")


def _size(context: click.Context, option: click.Parameter, text: str | None) -> Size | None:
    from roma_device.calibration.arrays import Size

    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text or "", re.ASCII)
    if text is not None and match is None:
        raise RomaError(f"--size {text}: write WIDTHxHEIGHT, as in 640x320", exit_code=os.EX_USAGE)
    return None if match is None else Size(int(match[1]), int(match[2]))


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order of ``--help``."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


json_option = click.option("--json", "as_json", is_flag=True, help="JSON to stdout.")

on_option = click.option(
    "--on",
    help="Where the work is done: local:N processes of this machine, or dask://HOST:PORT.  [default: this process]",
)

engine_options = together(
    click.option("--engine", help="auto, axcl, ax, openvino, onnx or opencv.  [default: auto]"),
    click.option("--precision", help="auto, fp32 or int8 on a host engine.  [default: auto]"),
    click.option("--threads", type=click.IntRange(0), help="Threads of a host engine; 0: its own choice."),
)
"""What runs a network."""

model_options = together(
    click.option("--model", help="Bundle folder, name of a bundled model, or auto.  [default: auto]"),
    click.option(
        "--passes",
        type=click.IntRange(0),
        help="Of a model's second stage; 0: the first alone, which is faster.  [default: as its card says]",
    ),
    engine_options,
)
"""Which network, and what runs it."""

config_option = click.option(
    "--config", type=PATH, help="Settings file, or installed; options on the command line win over it."
)

geometry_options = together(
    click.option("--calibration", type=PATH, help="Calibration file of the rig (YAML)."),
    click.option("--rectified", is_flag=True, default=None, help="The pairs are rectified already."),
    click.option("--focal-px", type=float, help="Focal length at camera resolution; with --rectified."),
    click.option("--baseline-m", type=float, help="Distance of the cameras; with --rectified."),
    click.option(
        "--doffs-px",
        "--doffs",
        "doffs_px",
        type=float,
        help="Right principal point's column minus the left one's (Middlebury's doffs); with --rectified.",
    ),
)
"""What is known of the rig."""

camera_options = together(
    config_option,
    click.option(
        "--camera",
        help="v4l2:LEFT,RIGHT, pipe:SOCKET, simulated[:SCENE], images:LEFT,RIGHT or images:DIR, video:FILE or "
        "video:LEFT,RIGHT, recording:DIR.",
    ),
    geometry_options,
)
"""Where frames come from, and what is known of the rig."""


def settings_from_options(config: Path | None, options: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """The file's settings, else ``base`` or the defaults, with the options given on the command line on top."""
    from roma_device.app.installed.settings import settings_path
    from roma_device.app.settings.settings import Settings, load_settings

    from .option_checks import check_contradictions, check_effect

    check_contradictions(options)
    settings = (base or Settings()) if config is None else load_settings(settings_path(config))
    flags = {_DOTTED.get(name, name): value for name, value in options.items()}
    for key in ("output.save", "task"):
        if flags.get(key) is not None:
            flags[key] = tuple(name.strip() for name in flags[key].split(",") if name.strip())
    chosen = settings.overridden(**flags)
    check_effect(options, chosen)
    return chosen
