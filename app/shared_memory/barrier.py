"""Memory barrier for a language that has none."""

from __future__ import annotations

import threading

_LOCK = threading.Lock()


def barrier() -> None:
    """No later access to memory is seen before an earlier one.

    x86-64 keeps stores in order by itself. On ARMv8 the store that frees a lock is a release, the one that takes it
    an acquire, and both together order what is before against what is after.
    """
    for _ in range(2):
        _LOCK.acquire()
        _LOCK.release()
