"""All that is installed on this machine, by its kind."""

from __future__ import annotations

from typing import Any

from roma_device.calibration.store import CalibrationStore

from .models import InstalledModels
from .settings import InstalledSettings
from .trial import Slot


def calibration_slot() -> Slot:
    return Slot("calibration", CalibrationStore().kept)


def all_slots() -> list[Slot]:
    return [InstalledSettings().slot, InstalledModels().slot, calibration_slot()]


def slot_facts(slot: Slot) -> dict[str, Any]:
    """For JSON: the version in use, whether it is on trial, and what the latest one to go back was."""
    trial, returned = slot.trial(), slot.latest_return()
    return {
        "version": slot.versions.current(),
        "on_trial": trial is not None,
        "returned": None
        if returned is None
        else {"version": returned.number, "why": returned.why, "at": returned.ended_at},
    }
