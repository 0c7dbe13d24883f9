"""``run --config installed``: the run that serves, with what is installed and on trial."""

from __future__ import annotations

from collections.abc import Callable

from roma_device.app.settings.settings import Settings

from .command import run_from_settings
from .trial_guard import TrialGuard


def run_installed(load: Callable[[], Settings], as_json: bool, is_quiet: bool) -> int:
    """As ``run_from_settings``; settings that cannot be read go back too if they are on trial."""
    with TrialGuard() as guard:
        return run_from_settings(load(), load, as_json, is_quiet, guard)
