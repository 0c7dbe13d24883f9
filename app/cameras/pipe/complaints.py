"""Rate limiting of log messages: whoever sends nonsense cannot fill the disk with it."""

from __future__ import annotations

import time
from collections.abc import Callable

from loguru import logger

BURST = 5
PERIOD_S = 10.0


class Complaints:
    """Warnings, BURST of them in any PERIOD_S; what is left out is counted and said with the next one."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._since_s = clock_s()
        self._said = 0
        self._unsaid = 0

    def say(self, sentence: str) -> None:
        now_s = self._clock_s()
        if now_s - self._since_s > PERIOD_S:
            self._since_s, self._said = now_s, 0
        if self._said >= BURST:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more were not written)" if self._unsaid else ""
        self._said, self._unsaid = self._said + 1, 0
        logger.warning(f"{sentence}{more}")
