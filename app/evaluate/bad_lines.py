"""Bad lines or entries of a list: left out, counted and warned of; above a share the file is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from loguru import logger

from roma_device.app.evaluate import EvaluationError

T = TypeVar("T")

MOST_BAD = 0.1
"""Share of the lines or entries."""

FEW = 3
"""Of so many lines or more, one may be bad, whatever its share."""


def good_entries(path: Path, entries: Sequence[Any], parse: Callable[[int, Any], T]) -> list[T]:
    """What ``parse`` makes of each entry and its number; those for which it raises EvaluationError are left out.

    Raises the first one's where they are more than MOST_BAD of all, and more than one.
    """
    found, problems = [], []
    for number, entry in enumerate(entries):
        try:
            found.append(parse(number, entry))
        except EvaluationError as error:
            problems.append(error)
            if _are_many(len(problems), len(entries)):
                raise problems[0] from None
    if problems:
        logger.warning("{}; left out, {} of {} entries of {}", problems[0], len(problems), len(entries), path)
    return found


def _are_many(bad: int, total: int) -> bool:
    return bad > max(MOST_BAD * total, 1 if total >= FEW else 0)


class BadLines:
    """Of one file with ``total`` lines; ``finish`` tells of them."""

    def __init__(self, path: Path, total: int) -> None:
        self._path, self._total = path, total
        self._reasons: list[str] = []

    def leave_out(self, line: int, reason: str) -> None:
        """Raises EvaluationError, with the first reason, where these are too many."""
        self._reasons.append(f"{self._path}:{line}: {reason}")
        if _are_many(len(self._reasons), self._total):
            count = len(self._reasons)
            more = f" (and {count - 1} more of {self._total} lines are bad)" if count > 1 else ""
            raise EvaluationError(self._reasons[0] + more)

    def finish(self) -> None:
        """Warn of what was left out."""
        if self._reasons:
            logger.warning("{}; left out, {} of {} lines", self._reasons[0], len(self._reasons), self._total)
