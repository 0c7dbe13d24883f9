"""One worker, which is this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from . import Finished, Workers
from .attempt import attempt


class InProcess(Workers):
    """Does a task when its outcome is asked for."""

    def __init__(self) -> None:
        self._tasks: deque[tuple[str, Callable[[Any], Any], Any]] = deque()

    @property
    def capacity(self) -> int:
        return 1

    @property
    def pending(self) -> int:
        return len(self._tasks)

    def submit(self, key: str, task: Callable[[Any], Any], argument: Any) -> None:
        self._tasks.append((key, task, argument))

    def next(self, timeout_s: float) -> Finished[Any] | None:
        """However long the task takes."""
        if not self._tasks:
            return None
        key, task, argument = self._tasks.popleft()
        return Finished(key, *attempt(task, argument))
