"""Evaluations pair by pair or clip by clip on workers, with the figures that one process would have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from roma_device.app.workers import Finished, work_through
from roma_device.app.workers.opening import open_workers

from . import EvaluationError

Score = TypeVar("Score")

RETRIES = 2
"""Of what a worker died on."""


def in_order(on: str, model: str | None, task: Callable[[Any], Score], arguments: Sequence[Any]) -> list[Score]:
    """Results of ``task`` in the order of ``arguments``; raises EvaluationError for the first that fails.

    ``on``: where, as in ``--on``; ``model``: a bundle of which workers must have the same files.
    """
    tries: dict[str, int] = {}

    def again(over: Finished[Score]) -> bool:
        tries[over.key] = tries.get(over.key, 0) + 1
        return over.problem is not None and over.problem.was_killed and tries[over.key] <= RETRIES

    found: dict[int, Any] = {}
    with open_workers(on, model) as workers:
        numbered = [(str(number), argument) for number, argument in enumerate(arguments)]
        for over in work_through(workers, task, numbered, again):
            if over.problem is not None:
                raise EvaluationError(over.problem.sentence, exit_code=over.problem.exit_code)
            found[int(over.key)] = over.result
    return [found[number] for number in range(len(arguments))]
