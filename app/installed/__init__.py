"""What is installed on this machine, as numbered versions: models, settings, calibrations; one may be on trial."""

from __future__ import annotations

import os

from roma_device.calibration.errors import RomaError

INSTALLED = "installed"
"""In place of a model's name or of the settings file: the version in use; ``installed:4`` is one by its number."""


class InstallError(RomaError):
    """What cannot be installed, or is not installed."""

    exit_code = os.EX_DATAERR


def version_number(name: str) -> int | None:
    """Of ``installed:4`` the 4, of ``installed`` None; raises InstallError for what is no number."""
    _, colon, number = name.partition(":")
    if colon and not number.isdecimal():
        raise InstallError(f"{name}: write installed:NUMBER, as `roma-device model list` has it", exit_code=os.EX_USAGE)
    return int(number) if colon else None


def is_installed(name: str) -> bool:
    """Whether a model's name or the path of settings means what is installed."""
    return name.partition(":")[0] == INSTALLED
