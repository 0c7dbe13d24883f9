"""Wall-clock stamps for frames whose stamps are monotonic."""

from __future__ import annotations

import time
from collections.abc import Callable

from loguru import logger

FASTEST_SLEW = 500e-6
"""Seconds per second, as NTP slews."""

JUMP_NS = 1_000_000_000
"""A wall clock that is ahead by more was set (a board without a battery at its clock): it is followed at once."""

LIVE_NS = 60_000_000_000
"""Stamps that are nearer to the monotonic clock are on it; those of recordings are not."""


class WallClock:
    """Stamps since 1970 that rise with the frames' own: the wall clock's corrections are followed gently."""

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall_ns, self._monotonic_ns = wall_ns, monotonic_ns
        self._epoch_ns: int | None = None  # since 1970, where the frames' clock is 0
        self._is_live, self._seen_ns = False, 0

    def stamp_ns(self, timestamp_ns: int) -> int:
        """ns since 1970 of a frame's ``timestamp_ns``."""
        now_ns = self._monotonic_ns()
        if self._epoch_ns is None:
            self._is_live = abs(now_ns - timestamp_ns) < LIVE_NS
            self._epoch_ns = self._wall_ns() - (now_ns if self._is_live else timestamp_ns)
        elif self._is_live:
            self._epoch_ns += self._correction(self._wall_ns() - now_ns - self._epoch_ns, now_ns - self._seen_ns)
        self._seen_ns = now_ns
        return self._epoch_ns + timestamp_ns

    def _correction(self, error_ns: int, elapsed_ns: int) -> int:
        if error_ns > JUMP_NS:
            logger.warning("the wall clock was set forward by {:.1f} s: stamps follow", error_ns / 1e9)
            return error_ns
        most_ns = int(FASTEST_SLEW * max(elapsed_ns, 0))
        return max(-most_ns, min(most_ns, error_ns))
