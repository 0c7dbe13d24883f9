"""Synchronization of left and right frames by nearest timestamp."""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

MAX_WAITING = 2
"""Frames of one side that may wait for a partner: more would only be older, and hold the driver's buffers."""


class Stamped(Protocol):
    @property
    def timestamp_ns(self) -> int: ...


Item = TypeVar("Item", bound=Stamped)


class TimestampPairer(Generic[Item]):
    """Pairs what is nearest in time, never further apart than ``max_skew_ns``.

    Of each side the stamps have to rise, so that of two frames that are no pair the older one never will be in one:
    only one side ever waits. What finds no partner ends in ``rejected``, oldest first, for the caller to take: the
    driver wants its buffers back.
    """

    def __init__(self, max_skew_ns: int) -> None:
        self.max_skew_ns = max_skew_ns
        self.rejected: list[tuple[int, Item]] = []  # side, item
        self._waiting: tuple[deque[Item], deque[Item]] = (deque(), deque())

    def push(self, side: int, item: Item) -> tuple[Item, Item] | None:
        """Take a frame of side 0 (left) or 1 (right); the pair (left, right) that it completes, or None."""
        others = self._waiting[1 - side]
        partner = min(others, key=lambda other: abs(other.timestamp_ns - item.timestamp_ns), default=None)
        if partner is not None and abs(partner.timestamp_ns - item.timestamp_ns) <= self.max_skew_ns:
            self._drop_until(1 - side, partner)
            return (partner, item) if side else (item, partner)
        self._waiting[side].append(item)
        self._reject_hopeless()
        return None

    def clear(self) -> None:
        """Give up all that waits: it ends in ``rejected``."""
        self._reject_all(0)
        self._reject_all(1)

    def _reject_all(self, side: int) -> None:
        self.rejected.extend((side, item) for item in self._waiting[side])
        self._waiting[side].clear()

    def _drop_until(self, side: int, partner: Item) -> None:
        """Forget ``partner``, and reject what is older: it cannot find a partner any more."""
        waiting = self._waiting[side]
        while (item := waiting.popleft()) is not partner:
            self.rejected.append((side, item))

    def _reject_hopeless(self) -> None:
        """What is older than all of the other side by more than the tolerance, and what is too much."""
        for side in (0, 1):
            waiting, others = self._waiting[side], self._waiting[1 - side]
            newest = others[-1].timestamp_ns if others else None
            while waiting and (
                len(waiting) > MAX_WAITING
                or (newest is not None and newest - waiting[0].timestamp_ns > self.max_skew_ns)
            ):
                self.rejected.append((side, waiting.popleft()))
