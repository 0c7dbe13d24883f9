"""Memory barrier for a language that has none."""

from __future__ import annotations

import platform
import threading

_LOCK = threading.Lock()
_LOCKS_FENCE = platform.machine() in ("x86_64", "AMD64")


def barrier() -> None:
    """No later access to memory is seen before an earlier one.

    On x86-64 taking a lock is a locked instruction, which nothing passes: not even the streaming stores by which large
    copies go around the caches, and which alone are not kept in order there. On ARMv8 the store that frees a lock is
    a release, the one that takes it an acquire, and both together order what is before against what is after.
    """
    with _LOCK:
        pass
    if not _LOCKS_FENCE:
        with _LOCK:
            pass
