"""Evaluations pair by pair or clip by clip on workers, with the figures that one process would have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from roma_device.app.workers.results import results

from . import EvaluationError

Score = TypeVar("Score")


def in_order(on: str, model: str | None, task: Callable[[Any], Score], arguments: Sequence[Any]) -> list[Score]:
    """Results of ``task`` in the order of ``arguments``; raises EvaluationError for the first that fails.

    ``on``: where, as in ``--on``; ``model``: a bundle of which workers must have the same files.
    """
    found = dict(results(on, model, task, arguments, EvaluationError))
    return [found[number] for number in range(len(arguments))]
