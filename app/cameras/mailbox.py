"""Single-slot queue between two threads that drops the older item: the newest frame wins."""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """``put`` never waits and replaces what nobody took; ``take`` waits for something new."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._put_ns = 0
        self._closed = False
        self.overwritten = 0  # items that nobody took
        self.age_ns = 0  # how long the item taken last had been lying here

    def put(self, item: Item) -> bool:
        """False where an older item was thrown away for it."""
        with self._changed:
            was_free = self._item is None
            self.overwritten += not was_free
            self._item, self._put_ns = item, time.monotonic_ns()
            self._changed.notify()
            return was_free

    def take(self, timeout_s: float) -> Item | None:
        """The item; None when there is none after ``timeout_s``, or at once when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            if item is not None:
                self.age_ns = time.monotonic_ns() - self._put_ns
            return item

    def close(self) -> None:
        """There will be no more; what is there can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_full(self) -> bool:
        with self._changed:
            return self._item is not None

    @property
    def is_finished(self) -> bool:
        """Closed and empty."""
        with self._changed:
            return self._closed and self._item is None
