"""Workers: who does many tasks of one kind, in this process or in others that may die.

A task is a function at the top of a module and one argument, both of which can be pickled: paths and settings, never
images. It is done at least once; who writes files has to see to it that they appear once.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from roma_device.calibration.errors import RomaError

Result = TypeVar("Result")

LOOK_S = 1.0
"""How long a wait for results lasts before its caller may look after other things."""


class WorkersError(RomaError):
    """Workers that cannot be had, or that went away."""

    exit_code = os.EX_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a task gave no result."""

    sentence: str
    exit_code: int
    was_killed: bool = False  # the worker died on it, or beside it


@dataclass(frozen=True, slots=True)
class Finished(Generic[Result]):
    """What became of a task: one of ``result`` and ``problem`` is there."""

    key: str
    result: Result | None
    problem: Problem | None


class Workers(AbstractContextManager["Workers"], Protocol):
    """Take tasks while the ``with`` block runs; its end gives up those that are not finished."""

    @property
    def capacity(self) -> int:
        """How many tasks can be under way at once, now; each worker has one."""

    @property
    def pending(self) -> int:
        """How many are under way."""

    def submit(self, key: str, task: Callable[[Any], Any], argument: Any) -> None:
        """Begin a task under a ``key`` that no task under way has."""

    def next(self, timeout_s: float) -> Finished[Any] | None:
        """What finished next; None where nothing did in time. Raises WorkersError where nothing will."""

    def __exit__(self, *_: object) -> None:
        """Frees what is held."""
        return


def work_through(
    workers: Workers,
    task: Callable[[Any], Result],
    arguments: Iterable[tuple[str, Any]],
    again: Callable[[Finished[Result]], bool] = lambda _: False,
    idle: Callable[[], object] = lambda: None,
) -> Iterator[Finished[Result]]:
    """Outcomes of ``task`` on each of the (key, argument), as they come.

    ``again`` says of an outcome that it does not count and the task is to be done once more; ``idle`` is called now
    and then during waits.
    """
    by_key = dict(arguments)
    waiting = deque(by_key)
    while waiting or workers.pending:
        while waiting and workers.pending < workers.capacity:
            key = waiting.popleft()
            workers.submit(key, task, by_key[key])
        finished = workers.next(LOOK_S)
        if finished is None:
            idle()
        elif again(finished):
            waiting.append(finished.key)
        else:
            yield finished
