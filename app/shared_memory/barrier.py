"""Memory barrier for a language that has none."""

from __future__ import annotations

import platform
import threading

_LOCK = threading.Lock()
_KEEPS_ORDER = platform.machine() in ("x86_64", "AMD64")


def barrier() -> None:
    """No later access to memory is seen before an earlier one, except that loads may overtake stores.

    x86-64 keeps loads in order, and stores, by itself. On ARMv8 the store that frees a lock is a release, the one that
    takes it an acquire, and both together order what is before against what is after.
    """
    if _KEEPS_ORDER:
        return
    for _ in range(2):
        _LOCK.acquire()
        _LOCK.release()
