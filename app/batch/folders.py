"""The folder of a batch: what is finished, what failed, and what is under way.

``batch.json`` is the job. ``items/NAME/`` appears when an item is finished, whole, with ``done.json``; ``failed/
NAME.json`` says why one is not. ``attempts/`` holds what is being written, and is gone when nothing is.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from roma_device.app.run_folder.lock import FolderLock
from roma_device.calibration.storage.files import read_json, write_atomic

from . import BatchError

JOB, DONE = "batch.json", "done.json"
ATTEMPTS = ".attempts"


class BatchFolder:
    """Paths in it, and what they hold."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items, self.failed, self.attempts = path / "items", path / "failed", path / ATTEMPTS

    def done(self, name: str) -> dict[str, Any] | None:
        """The record of an item that is finished; raises BatchError for one that is damaged."""
        return _record(self.items / name / DONE)

    def failure(self, name: str) -> dict[str, Any] | None:
        """The record of an item that failed."""
        return _record(self.failed / f"{name}.json")

    def write_failure(self, name: str, record: dict[str, Any]) -> None:
        """Raises OSError."""
        self.failed.mkdir(exist_ok=True)
        write_atomic(self.failed / f"{name}.json", json.dumps(record, indent=2).encode() + b"\n")

    def forget_failure(self, name: str) -> None:
        """It is finished after all."""
        with suppress(OSError):
            (self.failed / f"{name}.json").unlink()
        with suppress(OSError):
            self.failed.rmdir()

    def new_attempt(self, name: str) -> Path:
        """A path for what is written of an item, of which no other program thinks; raises OSError."""
        self.attempts.mkdir(parents=True, exist_ok=True)
        return self.attempts / f"{name}.{os.urandom(6).hex()}"

    def attempts_of(self, name: str) -> list[Path]:
        """Those that are there."""
        return sorted(self.attempts.glob(f"{_literal(name)}.{'?' * 12}"))

    def under_way(self) -> Iterator[str]:
        """Names of the items that somebody writes now."""
        for attempt in sorted(self.attempts.glob("*")):
            if FolderLock.is_held(attempt) is not False:
                yield attempt.name.rpartition(".")[0]

    def sweep(self, name: str = "*") -> int:
        """Remove attempts that nobody writes any more, and all of items that are finished; returns their number.

        A program that was stopped may hold on to an attempt for ever: if it ever goes on, it finds the item finished.
        """
        swept = 0
        pattern = name if name == "*" else _literal(name)
        for attempt in self.attempts.glob(f"{pattern}.{'?' * 12}"):
            if (self.items / attempt.name.rpartition(".")[0] / DONE).exists() or FolderLock.is_held(attempt) is False:
                shutil.rmtree(attempt, ignore_errors=True)
                swept += 1
        with suppress(OSError):
            self.attempts.rmdir()
        return swept


def _literal(name: str) -> str:
    """Names hold no other magic than this."""
    return name.replace("[", "[[]")


def _record(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    found = read_json(path, "record of a batch", BatchError)
    if not isinstance(found, dict):
        raise BatchError(f"{path} is no record of a batch", exit_code=os.EX_DATAERR)
    return found
