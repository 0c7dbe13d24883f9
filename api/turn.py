"""Turn: one caller at a time."""

from __future__ import annotations

import threading

from roma_device.calibration.errors import RomaError

BUSY = "somebody is inside this StereoDepth already: one thread at a time; only stop() may be called from any"


class Turn:
    """A lock that refuses instead of waiting."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise RomaError(BUSY)

    def __exit__(self, *_: object) -> None:
        self._lock.release()
