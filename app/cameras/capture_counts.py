"""Counters of a live camera: pairs, drops by reason, reconnections."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Literal, get_args

DropReason = Literal["unpaired", "stale", "timestamp", "damaged", "torn", "black", "frozen", "overwritten"]
DROP_REASONS: tuple[str, ...] = get_args(DropReason)
"""unpaired: no frame of the other camera within max_skew_ms; stale: newer ones were there already; timestamp: it does
not rise or is not of now; damaged: the driver says so; torn: not whole; black: one camera alone sees nothing; frozen:
the same picture again and again; overwritten: a newer frame came before the program took it."""


class CaptureCounts:
    """Counters that one thread writes and others read. One per frame of one camera, or per pair where they are one."""

    def __init__(self) -> None:
        self._dropped: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.pairs = 0
        self.reconnects = 0
        self.is_connected = False

    def drop(self, reason: DropReason, count: int = 1) -> None:
        with self._lock:
            self._dropped[reason] += count

    @property
    def dropped(self) -> dict[str, int]:
        """Frames that never became a result, by reason; reasons that never occurred are there with 0."""
        with self._lock:
            return {reason: self._dropped[reason] for reason in DROP_REASONS}

    @property
    def total_dropped(self) -> int:
        with self._lock:
            return self._dropped.total()
