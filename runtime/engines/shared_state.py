"""Reference-counted state of the process that all engines share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import ExitStack


class SharedState:
    """State that all engines of the process share: set up by the first user, taken down by the last."""

    def __init__(self) -> None:
        self._users: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    def use(self, stack: ExitStack, key: Hashable, start: Callable[[], None], stop: Callable[[], None]) -> None:
        """``start`` what ``key`` names unless it runs; ``stop`` follows when the last user's ``stack`` closes."""
        with self._lock:
            if not self._users[key]:
                start()
            self._users[key] += 1
        stack.callback(self._leave, key, stop)

    def _leave(self, key: Hashable, stop: Callable[[], None]) -> None:
        with self._lock:
            self._users[key] -= 1
            if not self._users[key]:
                stop()
