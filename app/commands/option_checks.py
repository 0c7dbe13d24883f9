"""Options that contradict each other, or that would have no effect: refused, rather than passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from roma_device.app.settings.settings import Settings

OF_RECTIFIED = ("focal_px", "baseline_m", "doffs_px")
OF_HOST_ENGINES = ("threads", "precision")
NPU_ENGINES = ("ax", "axcl")


def check_contradictions(options: Mapping[str, Any]) -> None:
    """Of the command line alone: what a settings file says may be overruled. Raises click.UsageError."""
    if options.get("calibration") is None:
        return
    given = [name for name in ("rectified", *OF_RECTIFIED) if options.get(name) not in (None, False)]
    if given:
        raise click.UsageError(
            f"--calibration is for raw pairs, {_flag(given[0])} for rectified ones: give one of them."
        )


def check_effect(options: Mapping[str, Any], settings: Settings) -> None:
    """Of the command line, under the settings that come of it; raises click.UsageError."""
    given = [name for name, value in options.items() if value is not None]
    for name in OF_RECTIFIED:
        if name in given and not settings.rectified:
            raise click.UsageError(f"{_flag(name)} is for pairs that are rectified: add --rectified.")
    if "existing" in given and settings.output.folder is None:
        raise click.UsageError("--existing and --resume are about the folder of --output: name it.")
    for name in OF_HOST_ENGINES:
        if name in given and settings.engine in NPU_ENGINES:
            raise click.UsageError(f"{_flag(name)} is for engines of the host, not for {settings.engine}.")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
