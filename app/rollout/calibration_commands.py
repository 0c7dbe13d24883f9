"""What ``roma-device calibration install`` does, and ``use`` on trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from roma_device.app.installed.settings import InstalledSettings
from roma_device.app.installed.slots import calibration_slot
from roma_device.app.settings.settings import load_settings
from roma_device.calibration.formats.exchange import import_calibration
from roma_device.calibration.store import CalibrationStore

from .put_to_use import Outcome, TrialChoice, check_is_served, is_of_service, put_to_use


def install(path: Path, trial: TrialChoice) -> Outcome:
    """Take over a calibration file, of any format that is known, as a version, and put it to use."""
    calibration = import_calibration([path])
    version = CalibrationStore().add(replace(calibration, origin={"from": path.name, **calibration.origin}))
    outcome, line = use(version.number, trial), f"{path} is stored as version {version.number}"
    return Outcome(outcome.kind, outcome.number, outcome.state, (line, *outcome.lines), outcome.why)


def use(number: int, trial: TrialChoice) -> Outcome:
    slot = calibration_slot()
    slot.versions.check(number)
    CalibrationStore().version(number).load()
    _check_is_served()
    return put_to_use(slot, number, trial)


def _check_is_served() -> None:
    settings, slot = InstalledSettings(), calibration_slot()
    path = settings.path()
    if is_of_service(slot) and path.exists():
        check_is_served(slot, "calibration: null", load_settings(path).calibration is None, path)
