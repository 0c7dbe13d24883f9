"""What the commands of ``roma-device config`` do: settings as versions, checked before they are put to use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roma_device.app.installed import InstallError
from roma_device.app.installed.settings import SERVICE_SETTINGS, InstalledSettings
from roma_device.app.installed.trial import Slot, read_trial
from roma_device.app.model_store import find_model
from roma_device.app.settings.settings import Settings, load_settings
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.storage.files import MOST_TEXT_BYTES, read_bytes
from roma_device.calibration.storage.owner import acting_as_owner

from .put_to_use import Outcome, TrialChoice, put_to_use, roll_back


def install(path: Path, is_used: bool, trial: TrialChoice) -> Outcome:
    """Store settings that make sense on this machine, and put them to use."""
    check_settings(load_settings(path))
    content, store = read_bytes(path, "settings", InstallError, MOST_TEXT_BYTES), InstalledSettings()
    with acting_as_owner(store.folder):
        number = store.add(content)
    line = f"{path} is stored as version {number}"
    if not is_used:
        advice = f"put it to use with: roma-device config use {number}"
        return Outcome("settings", number, "in use", (line, advice))
    outcome = put_to_use(store.slot, number, trial)
    return Outcome(outcome.kind, outcome.number, outcome.state, (line, *outcome.lines), outcome.why)


def use(number: int, trial: TrialChoice) -> Outcome:
    store = InstalledSettings()
    store.kept.check(number)
    check_settings(load_settings(store.kept.path(number)))
    return put_to_use(store.slot, number, trial)


def rollback() -> Outcome:
    """To the version before, or to the file in /etc."""
    return roll_back(InstalledSettings().slot, to_none=SERVICE_SETTINGS.exists())


def check_settings(settings: Settings) -> None:
    """That the model and the calibration which they name are there; raises what reading them raises."""
    find_model(settings.model)
    if settings.calibration is not None:
        load_calibration(settings.calibration)


def content(number: int | None) -> str:
    """The text of a version, by default of the settings in use."""
    store = InstalledSettings()
    if number is not None:
        store.kept.check(number)
    path = store.path() if number is None else store.kept.path(number)
    return read_bytes(path, "settings", InstallError, MOST_TEXT_BYTES).decode("utf-8", errors="replace")


@dataclass(frozen=True, slots=True)
class VersionList:
    """The numbers of a store, and which of them is in use."""

    slot: Slot
    nothing: str

    def as_json(self) -> list[dict[str, Any]]:
        versions = self.slot.versions
        return [{"version": number, **_state(self.slot, number)} for number in versions.numbers()]

    def as_text(self) -> str:
        rows = self.as_json()
        return "\n".join(_row(row) for row in rows) if rows else self.nothing


def _row(row: dict[str, Any]) -> str:
    mark = "*" if row["state"] in ("in use", "on trial") else " "
    why = f" ({row['why']})" if row["why"] else ""
    return f"{mark} {row['version']:4}  {row['file']}  {row['state']}{why}".rstrip()


def _state(slot: Slot, number: int) -> dict[str, Any]:
    latest, state, why = read_trial(slot.versions.folder), "", ""
    if slot.versions.current() == number:
        state = "on trial" if slot.trial() is not None else "in use"
    elif latest is not None and latest.number == number and latest.outcome == "returned":
        state, why = "went back", latest.why
    return {"state": state, "why": why, "file": str(slot.versions.path(number))}


def version_list() -> VersionList:
    store = InstalledSettings()
    return VersionList(store.slot, f"no settings are installed in {store.folder}: {SERVICE_SETTINGS} counts")
