"""The sinks of a run: one that fails stops neither the run nor the others, and is tried again while it lasts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loguru import logger

from roma_device.calibration.errors import RomaError
from roma_device.runtime.types import Result

from . import DeferringSink, Sink

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""After a second failure in a row no result is tried for so long, after each further one for twice as long."""


@dataclass(slots=True)
class SinkState:
    """How one sink is doing."""

    written: int = 0  # results
    missed: int = 0  # results that it did not take
    failures: int = 0  # attempts that failed
    in_a_row: int = 0
    problem: str = ""  # why the latest attempt failed; "" where it did not
    since_s: float = 0.0  # monotonic, when the present trouble began
    retry_s: float = 0.0  # monotonic, no attempt before

    def as_json(self) -> dict[str, Any]:
        return {"written": self.written, "missed": self.missed, "failures": self.failures, "problem": self.problem}


class SinkSet:
    """Writes to every sink in order."""

    def __init__(self, sinks: Mapping[str, Sink], clock: Callable[[], float] = time.monotonic) -> None:
        self.sinks, self._clock = dict(sinks), clock
        self.states = {name: SinkState() for name in sinks}

    def write(self, result: Result) -> None:
        """Whatever a sink raises is counted, and said at a limited rate."""
        for name, sink in self.sinks.items():
            state = self.states[name]
            if self._clock() < state.retry_s:
                state.missed += 1
                continue
            try:
                sink.write(result)
            except Exception as error:  # a sink may be anybody's
                self._fail(name, state, str(error) if isinstance(error, RomaError) else repr(error))
            else:
                self._succeed(name, state)

    def flush(self) -> None:
        """Wait until no sink needs the results any more: their arrays may be changed from then on."""
        for sink in self.sinks.values():
            if isinstance(sink, DeferringSink):
                sink.flush()

    @property
    def failed(self) -> set[str]:
        """The sinks that have missed a result."""
        return {name for name, state in self.states.items() if state.missed}

    @property
    def in_trouble(self) -> dict[str, str]:
        """The sinks that fail now, and why."""
        return {name: state.problem for name, state in self.states.items() if state.problem}

    @property
    def problem(self) -> str | None:
        """What could not be written, as one clause; None where all was."""
        missing = [f"{state.missed} results in {name}" for name, state in sorted(self.states.items()) if state.missed]
        return f"missing: {', '.join(missing)}" if missing else None

    def _fail(self, name: str, state: SinkState, problem: str) -> None:
        now_s = self._clock()
        if not state.in_a_row:
            state.since_s = now_s
        state.problem, state.missed = problem, state.missed + 1
        state.failures, state.in_a_row = state.failures + 1, state.in_a_row + 1
        if state.in_a_row > 1:
            state.retry_s = now_s + min(FIRST_PAUSE_S * 2 ** min(state.in_a_row - 2, 9), LONGEST_PAUSE_S)
        if state.in_a_row & (state.in_a_row - 1) == 0:  # the 1st, 2nd, 4th, 8th...
            logger.error("saving {} fails and is tried again: {}", name, problem)

    def _succeed(self, name: str, state: SinkState) -> None:
        state.written += 1
        if not state.in_a_row:
            return
        lasted_s = self._clock() - state.since_s
        logger.warning("saving {} works again after {:.1f} s; {} results are missing", name, lasted_s, state.missed)
        state.in_a_row, state.problem, state.retry_s = 0, "", 0.0
