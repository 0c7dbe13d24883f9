"""Options of the command line that several commands share, and the settings that come of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roma_device.app.settings.settings import Settings

_DOTTED = {
    "min_depth_m": "depth.min_m",
    "max_depth_m": "depth.max_m",
    "min_confidence": "depth.min_confidence",
    "output": "output.folder",
    "save": "output.save",
}
"""Options whose settings key has another name."""


def settings_from_options(config: Path | None, options: Mapping[str, Any]) -> Settings:
    """The file's settings, or the defaults, with the options given on the command line on top."""
    from roma_device.app.settings.settings import Settings, load_settings

    settings = Settings() if config is None else load_settings(config)
    flags = {_DOTTED.get(name, name): value for name, value in options.items()}
    for key in ("output.save", "task"):
        if flags.get(key) is not None:
            flags[key] = tuple(name.strip() for name in flags[key].split(",") if name.strip())
    return settings.overridden(**flags)
