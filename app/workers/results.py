"""Results of one task on many arguments, wherever they are had; what a worker died on is tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from roma_device.calibration.errors import RomaError

from . import Finished, work_through
from .opening import open_workers

Result = TypeVar("Result")

RETRIES = 2
"""Of what a worker died on."""


def results(
    on: str,
    model: str | None,
    task: Callable[[Any], Result],
    arguments: Iterable[Any],
    error: type[RomaError] = RomaError,
) -> Iterator[tuple[int, Result]]:
    """Number of the argument and what ``task`` made of it, as they come; raises ``error`` for the first that fails.

    ``on``: where, as in ``--on``; ``model``: a bundle of which workers must have the same files.
    """
    tries: dict[str, int] = {}

    def again(over: Finished[Result]) -> bool:
        tries[over.key] = tries.get(over.key, 0) + 1
        return over.problem is not None and over.problem.was_killed and tries[over.key] <= RETRIES

    with open_workers(on, model) as workers:
        numbered = [(str(number), argument) for number, argument in enumerate(arguments)]
        for over in work_through(workers, task, numbered, again):
            if over.problem is not None:
                raise error(over.problem.sentence, exit_code=over.problem.exit_code)
            yield int(over.key), over.result  # type: ignore[misc]
