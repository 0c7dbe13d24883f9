"""Putting an installed version to use: on trial where a service serves it, which is started anew and waited for."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, Literal

from roma_device.app.installed.trial import Slot, Terms, Trial, read_trial
from roma_device.app.service.install import UNIT, ServiceError, run_tool
from roma_device.app.service.state import STATUS_FILE
from roma_device.app.service.status_file import read_status
from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.owner import acting_as_owner
from roma_device.calibration.storage.state_folder import SERVICE_STATE

RETURNED = 1
"""Exit code of a version that went back."""

GRACE_S = 150.0
"""How much longer than its limit a trial may take: the start of the service, and cameras that are waited for."""

LOOK_S = 0.5
USUAL = Terms()


@dataclass(frozen=True, slots=True)
class TrialChoice:
    """What the user asked for; None: as suits the machine."""

    on_trial: bool | None = None
    wait: bool = True
    good_frames: int = USUAL.good_frames
    limit_s: float = USUAL.limit_s
    min_valid: float | None = None
    max_latency_ms: float | None = None

    def terms(self) -> Terms:
        """Half of what the service shows now is asked for, if it shows anything."""
        least = self.min_valid
        if least is None:
            status = read_status(STATUS_FILE)
            now = status.get("valid_ratio") if status.get("healthy") else None
            least = max(USUAL.least_valid, round(now / 2, 3)) if isinstance(now, float) else USUAL.least_valid
        return Terms(self.good_frames, self.limit_s, least, self.max_latency_ms)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    kind: str
    number: int | None
    state: Literal["in use", "on trial", "passed", "returned"]
    lines: tuple[str, ...]
    why: str = ""

    @property
    def exit_code(self) -> int:
        return RETURNED if self.state == "returned" else os.EX_OK

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "version": self.number, "state": self.state, "why": self.why}

    def as_text(self) -> str:
        return "\n".join(self.lines)


def is_of_service(slot: Slot) -> bool:
    """Whether a service of this machine serves from that store."""
    return slot.versions.folder.is_relative_to(SERVICE_STATE)


def put_to_use(slot: Slot, number: int, choice: TrialChoice) -> Outcome:
    """Put version ``number`` to use; raises the store's error, and ServiceError where the service does not restart."""
    serves = is_of_service(slot)
    on_trial = serves if choice.on_trial is None else choice.on_trial
    with acting_as_owner(slot.versions.folder):
        if slot.versions.current() == number and slot.trial() is None:
            return Outcome(slot.kind, number, "in use", (f"version {number} is in use already",))
        if on_trial:
            slot.use_on_trial(number, choice.terms())
        else:
            slot.versions.use(number)
    is_restarted = serves and restart_service()
    if not on_trial:
        return Outcome(slot.kind, number, "in use", (f"version {number} is in use{_from_when(is_restarted)}",))
    terms = choice.terms()
    promise = f"{terms.good_frames} good frames in a row within {terms.limit_s:g} s, else it goes back by itself"
    line = f"version {number} is on trial{_from_when(is_restarted)}: {promise}"
    if not (is_restarted and choice.wait):
        return Outcome(slot.kind, number, "on trial", (line,))
    return _awaited(slot, number, terms.limit_s + GRACE_S, line)


def _from_when(is_restarted: bool) -> str:
    return ", the service was started anew" if is_restarted else ", from the next `run --config installed` on"


def roll_back(slot: Slot, *, to_none: bool) -> Outcome:
    """To the version in use before; ``to_none``: or to what there is without any."""
    with acting_as_owner(slot.versions.folder):
        number = slot.versions.roll_back(to_none=to_none)
    is_restarted = is_of_service(slot) and restart_service()
    where = "what is there without any" if number is None else f"version {number}"
    return Outcome(slot.kind, number, "in use", (f"back at {where}{_from_when(is_restarted)}",))


def restart_service() -> bool:
    """Start the service anew if it runs or has failed; False where there is none, or it was stopped on purpose."""
    try:
        state = run_tool("systemctl", "show", UNIT, "--property=ActiveState", "--value").strip()
    except ServiceError:
        return False
    if state not in ("active", "activating", "reloading", "failed"):
        return False
    run_tool("systemctl", "reset-failed", UNIT, may_fail=True)
    run_tool("systemctl", "restart", "--no-block", UNIT)
    return True


def _awaited(slot: Slot, number: int, limit_s: float, line: str) -> Outcome:
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        trial = _latest(slot, number)
        if trial is None:
            return Outcome(slot.kind, slot.versions.current(), "in use", (line, "somebody else chose another version"))
        if trial.outcome == "passed":
            return Outcome(slot.kind, number, "passed", (line, f"version {number} has passed its trial and stays"))
        if trial.outcome == "returned":
            where = "what was there before any" if trial.back_to is None else f"version {trial.back_to}"
            back = f"version {number} went back to {where}: {trial.why}"
            return Outcome(slot.kind, trial.back_to, "returned", (line, back), trial.why)
        time.sleep(LOOK_S)
    undecided = f"nothing is decided after {limit_s:.0f} s: do the cameras give pairs?"
    return Outcome(slot.kind, number, "on trial", (line, undecided))


def _latest(slot: Slot, number: int) -> Trial | None:
    trial = read_trial(slot.versions.folder)
    return trial if trial is not None and trial.number == number else None


def check_is_served(slot: Slot, settings_key: str, is_served: bool, where: object) -> None:
    """Raises RomaError where the service's settings name something else than what is installed."""
    if is_of_service(slot) and not is_served:
        raise RomaError(
            f"{where} names another {slot.kind}, so that an installed one would never be used: "
            f"write {settings_key} there, then put the version to use",
            exit_code=os.EX_CONFIG,
        )
