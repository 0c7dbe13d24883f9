"""The job of a batch, frozen in ``batch.json`` at its start: whoever goes on with the folder does the same job."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from roma_device.app.model_store import find_model, model_facts, model_name
from roma_device.app.run.geometry import fingerprint as calibration_fingerprint
from roma_device.app.run_folder.record import now
from roma_device.app.run_folder.same_run import differences
from roma_device.app.settings.settings import Settings
from roma_device.app.workers.software import software
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.storage.files import MOST_BYTES, read_json, write_atomic, write_exit_code

from . import BatchError
from .folders import JOB, BatchFolder
from .items import Item, camera_files

FORMAT, VERSION = "roma-device-batch", 1

NEUTRAL: dict[str, Any] = {
    "camera": None,
    "publish": (),
    "record": None,
    "max_fps": None,
}
"""Settings of a live run that are put back to their defaults."""


@dataclass(frozen=True)
class Job:
    """What is to be done to what."""

    settings: Settings
    items: tuple[Item, ...]
    made_at: str
    software: Mapping[str, str]
    model: Mapping[str, Any]
    calibration: str | None  # fingerprint of the file that the settings name

    @classmethod
    def of(cls, settings: Settings, items: Sequence[Item]) -> Job:
        """Raises RomaError for a model, a calibration or an item's settings that cannot be."""
        neutral = Settings().model_copy(update=NEUTRAL)
        settings = _absolute(settings).model_copy(
            update={
                **{name: getattr(neutral, name) for name in (*NEUTRAL, "monitor", "page")},
                "threads": settings.threads or 1,
                "output": settings.output.model_copy(update={"folder": None, "existing": "refuse"}),
            }
        )
        job = cls(
            settings,
            tuple(items),
            now(),
            software(),
            model_facts(find_model(settings.model)),
            None if settings.calibration is None else calibration_fingerprint(load_calibration(settings.calibration)),
        )
        for item in items:
            job.settings_of(item)
        return job

    def settings_of(self, item: Item) -> Settings:
        """The batch's settings with the item's own on top; raises SettingsError."""
        chosen = self.settings.overridden(f"item {item.name}", **item.settings) if item.settings else self.settings
        return chosen.model_copy(update={"camera": item.camera})

    def key(self, item: Item) -> str:
        """sha256 of all that decides on the item's results; raises RomaError and OSError."""
        own = item.settings.get("calibration")
        calibration = None if own is None else calibration_fingerprint(load_calibration(Path(own)))
        facts = [self._digest, dict(item.settings), calibration, item.camera, _files(item)]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    def _content(self) -> dict[str, Any]:
        """What is the same for all items."""
        return {
            "software": dict(self.software),
            "model": self.model,
            "calibration": self.calibration,
            "settings": self.settings.model_dump(mode="json"),
        }

    def as_json(self) -> dict[str, Any]:
        items = [{"name": item.name, "camera": item.camera, "settings": dict(item.settings)} for item in self.items]
        return {
            "format": FORMAT,
            "version": VERSION,
            "made_at": self.made_at,
            **self._content(),
            "items": items,
        }

    def freeze(self, folder: BatchFolder) -> None:
        """Write ``batch.json``, or see that the one that is there is of the same job; raises BatchError."""
        found = read_job(folder.path)
        if found is None:
            try:
                write_atomic(folder.path / JOB, json.dumps(self.as_json(), indent=1).encode() + b"\n")
            except OSError as error:
                message = f"cannot write {folder.path / JOB}: {error.strerror}"
                raise BatchError(message, exit_code=write_exit_code(error)) from error
            return
        _check_same(folder.path, found, json.loads(json.dumps(self.as_json())))


def read_job(path: Path) -> dict[str, Any] | None:
    """What the ``batch.json`` in ``path`` holds; None where there is none. Raises BatchError."""
    if not (path / JOB).exists():
        return None
    found = read_json(path / JOB, "job of a batch", BatchError, MOST_BYTES)
    if not isinstance(found, dict) or found.get("format") != FORMAT or found.get("version") != VERSION:
        message = f"{path / JOB} is no job of this version of the program"
        raise BatchError(message, exit_code=os.EX_DATAERR)
    return found


def frozen_settings(path: Path) -> Settings | None:
    """The settings of the batch in ``path``; None where there is none. Raises BatchError."""
    job = read_job(path)
    if job is None:
        return None
    try:
        return Settings.model_validate(job["settings"])
    except (KeyError, ValueError):
        message = f"{path / JOB} was written by another version of the program: go on with that one"
        raise BatchError(message, exit_code=os.EX_DATAERR) from None


def items_of(job: Mapping[str, Any]) -> list[Item]:
    """The items that ``batch.json`` lists."""
    return [Item(each["name"], each["camera"], each["settings"]) for each in job["items"]]


def _check_same(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for what in ("software", "model", "calibration", "settings"):
        for key, was, is_now in differences({what: old.get(what)}, {what: new[what]}, free=frozenset()):
            raise BatchError(
                f"{path} holds another batch, whose {key} is {was!r}, not {is_now!r}: give another --output"
            )
    before, now_ = ({item["name"]: item for item in job["items"]} for job in (old, new))
    if before != now_:
        name = next(name for name in sorted({*before, *now_}) if before.get(name) != now_.get(name))
        state = "not" if name not in before else "alone" if name not in now_ else "with other content"
        raise BatchError(
            f"{path} holds another batch of {len(before)} items, which has {name!r} {state}: give the same inputs, "
            "none at all to go on, or another --output"
        )


def _absolute(settings: Settings) -> Settings:
    """Workers have other working folders."""
    changes: dict[str, Any] = {}
    if settings.calibration is not None:
        changes["calibration"] = settings.calibration.absolute()
    model = changes["model"] = model_name(settings.model)
    if Path(model).is_dir():
        changes["model"] = str(Path(model).absolute())
    return settings.model_copy(update=changes)


def _files(item: Item) -> list[tuple[str, int, int]]:
    """Name, size and time of change of each of its files."""
    stats = [(str(path), path.stat()) for path in camera_files(item)]
    return [(name, found.st_size, found.st_mtime_ns) for name, found in stats]
