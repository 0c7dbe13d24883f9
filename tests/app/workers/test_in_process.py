"""Tasks in this process, and how they are gone through."""

from __future__ import annotations

import pytest

from roma_device.app.workers import Finished, work_through
from roma_device.app.workers.in_process import InProcess
from tests.app.workers.tasks import break_down, refuse, square

NUMBERS = [(str(number), number) for number in range(5)]


def test_every_task_is_done() -> None:
    with InProcess() as workers:
        found = {over.key: over.result for over in work_through(workers, square, NUMBERS)}
    assert found == {"0": 0, "1": 1, "2": 4, "3": 9, "4": 16}


def test_what_a_task_raises_is_told_in_its_words() -> None:
    with InProcess() as workers:
        (refused,) = work_through(workers, refuse, NUMBERS[:1])
        (broken,) = work_through(workers, break_down, NUMBERS[:1])
    assert refused.problem is not None and broken.problem is not None
    assert (refused.problem.sentence, refused.problem.exit_code) == ("0 is too small: give --number", 65)
    assert "ZeroDivisionError" in broken.problem.sentence and broken.problem.exit_code == 70


def test_a_task_is_done_again_where_its_outcome_does_not_count() -> None:
    seen: list[str] = []

    def again(over: Finished[int]) -> bool:
        seen.append(over.key)
        return over.key == "1" and seen.count("1") < 3

    with InProcess() as workers:
        found = [over.key for over in work_through(workers, square, NUMBERS[:3], again)]
    assert found == ["0", "2", "1"] and seen.count("1") == 3


def test_an_interruption_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> int:
        raise KeyboardInterrupt

    with InProcess() as workers, pytest.raises(KeyboardInterrupt):
        list(work_through(workers, interrupt, NUMBERS))
