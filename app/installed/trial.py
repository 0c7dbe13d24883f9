"""A version on trial: how it passes, and how it goes back, whatever is killed when."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from roma_device.calibration.storage.files import write_atomic
from roma_device.calibration.storage.version_folder import BEFORE, HISTORY, TRIAL, VersionFolder, before

MOST_BOOTS = 2
"""A machine that starts anew within a trial may have lost its power; one that does so again has been killed by it."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a version on trial has to show."""

    good_frames: int = 30  # in a row
    limit_s: float = 30.0  # within which they come
    least_valid: float = 0.02  # share of known pixels of a good frame
    most_latency_ms: float | None = None  # of a good frame, where its stamps are of now


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial and, once it is over, what came of it."""

    number: int
    terms: Terms = Terms()
    starts: int = 0  # runs that have begun with it, without those that were ended in order
    boot: str = ""  # boot id of the last start
    outcome: str = ""  # "" while it lasts, "passed" or "returned"
    why: str = ""
    ended_at: str = ""
    back_to: int | None = None  # where it returned to; None: to what comes with the program

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_trial(folder: Path) -> Trial | None:
    """The latest one; None where there is none, or where the file is none of ours."""
    try:
        values = json.loads((folder / TRIAL).read_bytes())
        terms = Terms(**{key.name: values["terms"][key.name] for key in fields(Terms)})
        known = {key.name: values[key.name] for key in fields(Trial) if key.name in values}
        return Trial(**{**known, "terms": terms})
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Slot:
    """One kind of what is installed, and its trials. ``versions.error`` says what the disk refuses."""

    kind: str  # "model", "settings" or "calibration"
    versions: VersionFolder

    def use_on_trial(self, number: int, terms: Terms) -> None:
        """Put a version to use that goes back by itself; the history comes last, so that no kill leaves a half."""
        with self.versions.locked():
            self.versions.check(number)
            history = self.versions.history()
            if self.trial() is not None:  # it has shown nothing yet: nobody goes back to it
                history = before(history)
            way_back = before([*history, number])
            self.versions.write_history(way_back, BEFORE)
            self._write(Trial(number, terms, back_to=next(iter(way_back[-1:]), None)))
            self.versions.write_history([*history, number])

    def trial(self) -> Trial | None:
        """That of the version in use, while it lasts."""
        trial = read_trial(self.versions.folder)
        is_on = trial is not None and not trial.outcome and trial.number == self.versions.current()
        return trial if is_on else None

    def latest_return(self) -> Trial | None:
        """The latest trial if its version went back."""
        trial = read_trial(self.versions.folder)
        return trial if trial is not None and trial.outcome == "returned" else None

    def begin(self) -> Trial | None:
        """A run begins: the trial that it is part of; a version whose last run just broke off goes back first."""
        with self.versions.locked():
            trial = read_trial(self.versions.folder)
            if trial is None or trial.number != self.versions.current() or trial.outcome == "passed":
                return None
            if trial.outcome or trial.starts >= MOST_BOOTS or (trial.starts and trial.boot == _boot_id()):
                self._return(trial, "the run broke off before it had shown that it works")
                return None
            begun = replace(trial, starts=trial.starts + 1, boot=_boot_id())
            self._try_to_write(begun)
            return begun

    def end_in_order(self, trial: Trial) -> None:
        """The run was ended from outside: its start does not count against the version."""
        with self.versions.locked():
            if self.trial() is not None:
                self._try_to_write(replace(trial, starts=trial.starts - 1))

    def pass_trial(self, trial: Trial) -> None:
        """The version stays."""
        with self.versions.locked():
            if self.trial() is None:
                return
            try:
                self._write(replace(trial, outcome="passed", ended_at=_now()))
                (self.versions.folder / BEFORE).unlink(missing_ok=True)
            except (OSError, self.versions.error):
                self.versions.forget_trial()

    def give_up(self, trial: Trial, why: str) -> None:
        """Back to the version that was in use before."""
        with self.versions.locked():
            if self.trial() is not None:
                self._return(trial, why)

    def _return(self, trial: Trial, why: str) -> None:
        if not trial.outcome:
            self._try_to_write(replace(trial, outcome="returned", why=why, ended_at=_now()))
        try:
            (self.versions.folder / BEFORE).replace(self.versions.folder / HISTORY)
        except FileNotFoundError:
            self.versions.write_history(before(self.versions.history()))
        except OSError as error:
            raise self.versions.failed("write", error) from error

    def _write(self, trial: Trial) -> None:
        try:
            write_atomic(self.versions.folder / TRIAL, json.dumps(trial.as_json()).encode() + b"\n")
        except OSError as error:
            raise self.versions.failed("write", error) from error

    def _try_to_write(self, trial: Trial) -> None:
        """A full disk must not keep a version from going back, nor a run from beginning: what is noted is a help."""
        with contextlib.suppress(OSError):
            write_atomic(self.versions.folder / TRIAL, json.dumps(trial.as_json()).encode() + b"\n")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
