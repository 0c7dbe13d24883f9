"""The room that results leave on a disk: others need it too, the log and the calibrations among them."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

KEPT_BYTES = 64 << 20
KEPT_SHARE = 0.05
"""Of a small disk, such as one in memory, a share is kept instead."""

LOOK_S = 0.5


def check_room(folder: Path, kept_bytes: int | None = None) -> None:
    """Raises OSError (ENOSPC) where less than KEPT_BYTES, or ``kept_bytes``, are left on the disk of ``folder``."""
    disk = os.statvfs(folder)
    kept = min(KEPT_BYTES if kept_bytes is None else kept_bytes, KEPT_SHARE * disk.f_blocks * disk.f_frsize)
    if disk.f_bavail * disk.f_frsize < kept:
        raise OSError(errno.ENOSPC, f"less than {kept / (1 << 20):.0f} MiB are left on the disk")


class DiskRoom:
    """Looks now and then how much is left on the disk of ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._looked_s = folder, -LOOK_S

    def check(self) -> None:
        """Raises OSError (ENOSPC) where too little is left; a folder that is gone is another's to notice."""
        if time.monotonic() - self._looked_s < LOOK_S:
            return
        try:
            check_room(self._folder)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
        self._looked_s = time.monotonic()
