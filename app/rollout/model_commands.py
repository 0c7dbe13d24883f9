"""What the commands of ``roma-device model`` do with installed bundles."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roma_device.app.installed import InstallError, is_installed
from roma_device.app.installed.models import InstalledModels, check_files, read_manifest
from roma_device.app.installed.settings import InstalledSettings
from roma_device.app.installed.trial import read_trial
from roma_device.app.settings.settings import Settings, load_settings
from roma_device.app.verify.command import VerifyChoice
from roma_device.calibration.storage.owner import acting_as_owner

from .install_model import install_model
from .put_to_use import Outcome, TrialChoice, check_is_served, is_of_service, put_to_use, roll_back


@dataclass(frozen=True, slots=True)
class InstallChoice:
    """What the user asked of ``model install``."""

    sha256: str | None = None
    verify: bool = True
    use: bool = True
    engine: str | None = None
    precision: str | None = None
    reference: str | None = None
    vectors: Path | None = None

    def verification(self, settings: Settings) -> VerifyChoice | None:
        """On the engine that serves, as the service's settings have it."""
        if not self.verify:
            return None
        return VerifyChoice(
            "",
            engine=self.engine or settings.engine,
            threads=settings.threads,
            precision=self.precision or settings.precision,  # type: ignore[arg-type]
            reference=self.reference,
            vectors=self.vectors,
        )


def install(source: str, choice: InstallChoice, trial: TrialChoice) -> Outcome:
    """Store a bundle and put it to use."""
    settings, where = _service_settings()
    new = install_model(source, choice.sha256, choice.verification(settings))
    line = new.as_text()
    if not choice.use:
        advice = f"put it to use with: roma-device model use {new.number}"
        return Outcome("model", new.number, "in use", (line, advice))
    if new.manifest.task != "stereo":
        return Outcome("model", new.number, "in use", (line, f"name it installed:{new.number} as matcher or tracker"))
    return _put_to_use(new.number, trial, settings, where, line)


def use(number: int, trial: TrialChoice) -> Outcome:
    """Put a stored version to use, once its files are found whole."""
    store = InstalledModels()
    store.kept.check(number)
    manifest = read_manifest(store.kept.path(number))
    check_files(store.kept.path(number), manifest)
    if manifest.task != "stereo":
        raise InstallError(
            f"version {number} is a {manifest.task} model: name it installed:{number} as matcher or tracker; "
            "what is in use gives depth",
            exit_code=os.EX_USAGE,
        )
    settings, where = _service_settings()
    return _put_to_use(number, trial, settings, where)


def _put_to_use(number: int, trial: TrialChoice, settings: Settings, where: Path, *lines: str) -> Outcome:
    slot = InstalledModels().slot
    check_is_served(slot, "model: installed", is_installed(settings.model), where)
    outcome = put_to_use(slot, number, trial)
    return Outcome(outcome.kind, outcome.number, outcome.state, (*lines, *outcome.lines), outcome.why)


def rollback() -> Outcome:
    """To the version before, or to the model that comes with the program."""
    return roll_back(InstalledModels().slot, to_none=True)


def remove(number: int) -> str:
    store = InstalledModels()
    with acting_as_owner(store.folder):
        store.remove(number)
    return f"version {number} is gone"


def _service_settings() -> tuple[Settings, Path]:
    """Those that the service reads; the defaults where none serves from this store."""
    store = InstalledSettings()
    path = store.path()
    if not is_of_service(store.slot) or not path.exists():
        return Settings(model="installed"), path
    return load_settings(path), path


@dataclass(frozen=True, slots=True)
class InstalledList:
    """All installed bundles."""

    folder: Path
    rows: list[dict[str, Any]]

    def as_json(self) -> list[dict[str, Any]]:
        return self.rows

    def as_text(self) -> str:
        if not self.rows:
            return f"no model is installed in {self.folder}: the one that comes with the program is in use"
        return "\n".join(_row(row) for row in self.rows)


def _row(row: dict[str, Any]) -> str:
    mark = "*" if row["state"] in ("in use", "on trial") else " "
    verified = f"verified on {row['verified']['engine']}" if row["verified"] else "not verified"
    why = f" ({row['why']})" if row["why"] else ""
    return (
        f"{mark} {row['version']:4}  {row['installed_at']:25}  {row['name']:16}  {verified:24}  {row['state']}{why}"
    ).rstrip()


def installed_list() -> InstalledList:
    store = InstalledModels()
    return InstalledList(store.folder, [_facts(store, number) for number in store.kept.numbers()])


def _facts(store: InstalledModels, number: int) -> dict[str, Any]:
    try:
        manifest = read_manifest(store.kept.path(number)).as_json()
    except InstallError as error:
        manifest = {
            "name": f"damaged: {error}",
            "task": "",
            "files": {},
            "source": "",
            "installed_at": "",
            "verified": {},
        }
    state, why = _state(store, number)
    return {"version": number, "state": state, "why": why, **manifest, "folder": str(store.kept.path(number))}


def _state(store: InstalledModels, number: int) -> tuple[str, str]:
    if store.kept.current() == number:
        return ("on trial" if store.slot.trial() is not None else "in use"), ""
    latest = read_trial(store.folder)
    if latest is not None and latest.number == number and latest.outcome == "returned":
        return "went back", latest.why
    return "", ""
