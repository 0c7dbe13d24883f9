"""Sinks that fail for a while: tried again, counted, and told of."""

from __future__ import annotations

import pytest

from roma_device.app.sinks import SinkError
from roma_device.app.sinks.sink_set import LONGEST_PAUSE_S, SinkSet


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Flaky:
    """Takes results unless it has a failure to raise."""

    def __init__(self) -> None:
        self.got, self.attempts, self.failure = [], 0, None

    def write(self, result) -> None:
        self.attempts += 1
        if self.failure is not None:
            raise self.failure
        self.got.append(result)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flaky() -> Flaky:
    return Flaky()


@pytest.fixture
def sinks(clock: Clock, flaky: Flaky) -> SinkSet:
    return SinkSet({"flaky": flaky, "good": Flaky()}, clock)


def test_one_failure_costs_one_result(sinks: SinkSet, flaky: Flaky) -> None:
    flaky.failure = SinkError("the disk is full")
    sinks.write(0)
    assert sinks.in_trouble == {"flaky": "the disk is full"}
    flaky.failure = None
    sinks.write(1)
    assert flaky.got == [1] and sinks.sinks["good"].got == [0, 1] and sinks.in_trouble == {}
    assert sinks.failed == {"flaky"} and sinks.problem == "missing: 1 results in flaky"


def test_failures_in_a_row_are_tried_less_and_less_often_but_never_given_up(
    sinks: SinkSet, flaky: Flaky, clock: Clock, log: list[str]
) -> None:
    flaky.failure = SinkError("the disk is full")
    for frame in range(3600 * 10):  # an hour at 10 fps
        clock.now_s += 0.1
        sinks.write(frame)
    assert 3600 / LONGEST_PAUSE_S - 10 < flaky.attempts < 3600 / LONGEST_PAUSE_S + 20
    assert len(log) < 15 and "is tried again: the disk is full" in log[0]
    flaky.failure = None
    clock.now_s += LONGEST_PAUSE_S
    sinks.write(-1)
    assert flaky.got == [-1] and sinks.in_trouble == {}
    assert "works again after 36" in log[-1] and "36000 results are missing" in log[-1]
    state = sinks.states["flaky"]
    assert (state.written, state.missed, state.failures) == (1, 36000, flaky.attempts - 1)


def test_three_failures_in_a_week_are_not_three_in_a_row(sinks: SinkSet, flaky: Flaky, clock: Clock) -> None:
    for _ in range(3):
        flaky.failure = SinkError("for a moment")
        sinks.write(0)
        flaky.failure = None
        sinks.write(1)
        clock.now_s += 200_000
    assert flaky.got == [1, 1, 1] and sinks.states["flaky"].in_a_row == 0


def test_a_sink_of_somebody_else_may_raise_anything(sinks: SinkSet, flaky: Flaky) -> None:
    flaky.failure = KeyError("a bug")
    sinks.write(0)
    assert sinks.in_trouble == {"flaky": "KeyError('a bug')"} and sinks.sinks["good"].got == [0]


def test_nothing_is_missing_of_what_went_well(sinks: SinkSet) -> None:
    sinks.write(0)
    assert sinks.problem is None and sinks.failed == set() and sinks.states["good"].as_json()["written"] == 1
