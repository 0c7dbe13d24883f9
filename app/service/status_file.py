"""The status file: what a run says of itself every second, and when: the last word of a dead run is known."""

from __future__ import annotations

import json
import math
import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from loguru import logger

from roma_device.calibration.storage.files import write_atomic

STALE_S = 10.0
"""A run writes every second: one that has not for so long does not live, or not well."""


class StatusFile:
    """Written as a whole; where that fails it is tried again the next time."""

    def __init__(self, path: Path) -> None:
        self._path, self._failures = path, 0

    def write(self, status: dict[str, Any]) -> None:
        """Never raises OSError."""
        record = {**status, "process": os.getpid(), **_times()}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, json.dumps(record).encode() + b"\n", durable=False)
        except OSError as error:
            self._failures += 1
            if self._failures & (self._failures - 1) == 0:  # the 1st, 2nd, 4th, 8th...
                logger.warning(f"cannot write the status to {self._path}, and will try again: {error.strerror}")
            return
        if self._failures:
            logger.info(f"the status is written to {self._path} again")
        self._failures = 0


def _times() -> dict[str, Any]:
    """Since 1970 for people, since the boot for programs: clocks are set."""
    return {
        "written_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "written_boot_s": round(time.clock_gettime(time.CLOCK_BOOTTIME), 3),
    }


def read_status(path: Path) -> dict[str, Any]:
    """What was written last, {} where there is nothing. ``healthy`` is False in what is older than STALE_S."""
    try:
        status = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(status, dict):
        return {}
    age_s = _age_s(status)
    if not -1 <= age_s <= STALE_S:
        problems = status.get("problems")
        known = problems if isinstance(problems, dict) else {}
        status |= {"healthy": False, "problems": {**known, "status": f"nothing was written for {age_s:.0f} s"}}
    return status


def _age_s(status: dict[str, Any]) -> float:
    written_s = status.get("written_boot_s")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - written_s if isinstance(written_s, (int, float)) else math.inf
