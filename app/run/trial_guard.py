"""Watches a run whose model, settings or calibration is on trial: enough good frames in time, or back to the old one.

The judgement comes from a thread of its own, so that a run that hangs is judged too; what it decides is on the disk
before the run ends, and the next start finds the old version. systemd starts it anew.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from loguru import logger

from roma_device.app.cameras import CameraError
from roma_device.app.installed.slots import all_slots, slot_facts
from roma_device.app.installed.trial import Slot, Trial
from roma_device.app.service.live_stats import LiveStats
from roma_device.calibration.errors import RomaError
from roma_device.runtime.types import Result

LOOK_S = 0.25
OF_THE_CAMERA = ("settings",)
"""What may be to blame where no pair comes at all; of a model or a calibration the time runs while pairs come."""


class ReturnedError(RomaError):
    """The run ends because what was on trial went back: the next one begins with the version before it."""

    exit_code = os.EX_TEMPFAIL


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)  # the run ends in order if it can, and by force if it hangs


class TrialGuard(AbstractContextManager["TrialGuard"]):
    """Observer of a run inside its ``with`` block; without a trial it does nothing."""

    def __init__(self, slots: list[Slot] | None = None, terminate: Callable[[], None] = _terminate) -> None:
        self._slots = all_slots() if slots is None else slots
        self._terminate = terminate
        self._trials: list[tuple[Slot, Trial]] = []
        self._facts: dict[str, Any] = {}
        self._stats: LiveStats | None = None
        self._good, self._passed_s, self._pairs_seen = 0, 0.0, 0
        self._verdict = ""  # why it went back
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="trial", daemon=True)

    def __enter__(self) -> TrialGuard:
        for slot in self._slots:
            last_return, trial = slot.latest_return(), self._begun(slot)
            if (returned := slot.latest_return()) != last_return and returned is not None:
                logger.error(_return_sentence(slot, returned, returned.why))
            if trial is not None:
                self._trials.append((slot, trial))
                logger.info(_trial_sentence(slot, trial))
        self._look_up()
        if self._trials:
            self._thread.start()
        return self

    def _begun(self, slot: Slot) -> Trial | None:
        """A disk that refuses keeps no run from beginning."""
        try:
            return slot.begin()
        except RomaError as error:
            logger.error(f"the trial of the {slot.kind} in use cannot be looked after: {error}")
            return None

    def attach(self, stats: LiveStats) -> None:
        """Whose figures the frames are judged by."""
        self._stats = stats

    def as_json(self) -> dict[str, Any]:
        """Kind -> version in use, whether it is on trial, what went back last; as of the start or the last change."""
        return self._facts

    def observe(self, result: Result) -> None:
        """Observer: the frame went all the way through."""
        if not self._trials or self._stats is None:
            return
        terms = self._trials[0][1].terms
        latest = self._stats.recent[-1]
        is_good = result.matches.makes_sense and not self._stats.useless
        if is_good and latest.valid_ratio is not None:  # None where no network runs
            is_good = latest.valid_ratio >= terms.least_valid
        if is_good and terms.most_latency_ms is not None and latest.latency_ms is not None:
            is_good = latest.latency_ms <= terms.most_latency_ms
        self._good = self._good + 1 if is_good else 0
        if self._good >= max(trial.terms.good_frames for _, trial in self._trials):
            self._pass()

    def _pass(self) -> None:
        with self._lock:
            if self._verdict:
                return
            for slot, trial in self._trials:
                slot.pass_trial(trial)
                logger.info(f"{slot.kind} version {trial.number} has passed its trial: {self._good} good frames")
            self._trials = []
        self._look_up()

    def _watch(self) -> None:
        last_s = time.monotonic()
        while not self._ended.wait(LOOK_S):
            now_s = time.monotonic()
            if self._counts():
                self._passed_s += now_s - last_s
            last_s = now_s
            trials = self._trials
            if not trials:
                return
            if self._passed_s >= min(trial.terms.limit_s for _, trial in trials):
                self._give_up(self._why())
                self._terminate()
                return

    def _counts(self) -> bool:
        """Whether the time of the trial runs: not while the cameras give nothing that a model could use."""
        if any(slot.kind in OF_THE_CAMERA for slot, _ in self._trials):
            return True
        if self._stats is None:
            return False
        pairs, done = self._stats.source.counts.pairs, self._stats.frames
        is_moving, self._pairs_seen = pairs != self._pairs_seen, pairs
        return is_moving or (done == 0 and pairs > 0)

    def _why(self) -> str:
        seconds = f"{self._passed_s:.0f} s"
        if self._stats is None or not self._stats.frames:
            return f"no frame went through in {seconds}"
        share = 100 * (self._stats.recent[-1].valid_ratio or 0.0)
        text = f"not enough good frames in a row in {seconds}: {self._good} of the last ones, {share:.1f} % known"
        return f"{text}, {self._stats.nonsense} without sense" if self._stats.nonsense else text

    def _give_up(self, why: str) -> None:
        with self._lock:
            if self._verdict or not self._trials:
                return
            self._verdict = why
            for slot, trial in self._trials:
                try:
                    slot.give_up(trial, why)
                    logger.error(_return_sentence(slot, trial, why))
                except RomaError as error:
                    logger.error(f"{slot.kind} version {trial.number} cannot go back: {error}")
        self._look_up()

    def _look_up(self) -> None:
        self._facts = {slot.kind: slot_facts(slot) for slot in self._slots}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if isinstance(error, Exception) and self._is_to_blame(error):
            self._give_up(str(error) or repr(error))
        if self._verdict:
            raise ReturnedError(f"what was on trial went back: {self._verdict}") from error
        for slot, trial in self._trials:
            slot.end_in_order(trial)

    def _is_to_blame(self, error: Exception) -> bool:
        """A camera that is gone says nothing against a model."""
        of_camera = any(slot.kind in OF_THE_CAMERA for slot, _ in self._trials)
        return of_camera or not isinstance(error, CameraError)


def _trial_sentence(slot: Slot, trial: Trial) -> str:
    terms = trial.terms
    return (
        f"{slot.kind} version {trial.number} is on trial: {terms.good_frames} good frames in a row within "
        f"{terms.limit_s:g} s, else back to {_place(trial)}"
    )


def _return_sentence(slot: Slot, trial: Trial, why: str) -> str:
    return f"{slot.kind} version {trial.number} goes back to {_place(trial)}: {why}"


def _place(trial: Trial) -> str:
    return "what was there before any" if trial.back_to is None else f"version {trial.back_to}"
