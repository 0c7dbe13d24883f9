"""Keywords of StereoDepth as settings of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roma_device.app.settings.settings import Settings, SettingsError, load_settings

KEYS = {
    "min_depth_m": "depth.min_m",
    "max_depth_m": "depth.max_m",
    "min_confidence": "depth.min_confidence",
    "preset": "depth.preset",
    "output": "output.folder",
    "save": "output.save",
    "existing": "output.existing",
}
"""Keywords whose settings key has another name."""

NAMES = {key: keyword for keyword, key in KEYS.items()} | {"depth": "min_depth_m, max_depth_m"}
"""What messages call a settings key, where the keyword has another name."""


def make_settings(config: str | Path | None, keywords: Mapping[str, Any]) -> Settings:
    """The settings of the file ``config``, or the defaults, under the ``keywords`` that are not None.

    Raises SettingsError.
    """
    settings = Settings() if config is None else load_settings(as_path(config, "config"))
    plain = {KEYS.get(name, name): _plain(value) for name, value in keywords.items()}
    for key in ("task", "output.save"):
        plain[key] = _names(plain[key])
    if isinstance(publish := plain.get("publish"), str):
        plain["publish"] = (publish,)  # in whole: commas stand within it
    return settings.overridden("StereoDepth", NAMES, **plain)


def as_path(value: Any, keyword: str) -> Path:
    """Raises SettingsError for what is neither text nor path."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise SettingsError(f"{keyword} must be a path, not {value!r}", exit_code=os.EX_USAGE)
    return Path(value)


def is_rectified(calibration: Any, rectified: Any, *rig: Any) -> Any:
    """What the keywords together say of the pairs; None: nothing. ``rig``: ``focal_px`` and ``baseline_m``.

    Raises SettingsError where they contradict each other.
    """
    implied = rectified is True or any(figure is not None for figure in rig)
    if calibration is not None and implied:
        raise usage("calibration= is for raw pairs; rectified=, focal_px= and baseline_m= are for rectified ones")
    if calibration is not None and rectified is None:
        return False
    return True if implied and rectified is None else rectified


SHARED = "shm:"
"""How the name of a camera begins that gives finished results."""

OF_SHARED = ("camera", "frames", "max_fps", "output", "publish")
"""Settings that count for finished results."""


def check_shared(settings: Settings, calibration: Any) -> None:
    """Raises SettingsError for a choice that the program which publishes has made already."""
    default = Settings()
    made = [key for key in Settings.model_fields if getattr(settings, key) != getattr(default, key)]
    made += ["calibration"] if calibration is not None else []
    if useless := sorted(set(made) - set(OF_SHARED)):
        raise usage(f"{settings.camera} gives finished results: {useless[0]}= is chosen by the program that publishes")


def usage(message: str) -> SettingsError:
    """The error of keywords that make no sense."""
    return SettingsError(f"StereoDepth: {message}", exit_code=os.EX_USAGE)


def _plain(value: Any) -> Any:
    """Settings are strict: NumPy's numbers are not Python's, and a dataclass is a mapping there."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _names(value: Any) -> Any:
    """Names one by one, or in a text with commas between them."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return tuple(value) if isinstance(value, (list, set, frozenset)) else value
