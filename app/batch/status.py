"""What a folder of a batch holds: items done, failed, under way and waiting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roma_device.app.run_folder.lock import FolderLock

from . import BatchError
from .folders import BatchFolder
from .job import items_of, read_job


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A look at it; records by the item's name."""

    folder: Path
    is_running: bool  # a batch is at work in it
    done: dict[str, dict[str, Any]]
    failed: dict[str, dict[str, Any]]
    under_way: tuple[str, ...]
    waiting: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> BatchStatus:
        """Raises BatchError where there is no batch."""
        job, folder = read_job(path), BatchFolder(path)
        if job is None:
            raise BatchError(f"{path} holds no batch", exit_code=os.EX_NOINPUT)
        names = [item.name for item in items_of(job)]
        failed = {name: record for name in names if (record := folder.failure(name)) is not None}
        fine = [name for name in names if name not in failed]
        done = {name: record for name in fine if (record := folder.done(name)) is not None}
        under_way = tuple(name for name in folder.under_way() if name not in done)
        waiting = tuple(name for name in fine if name not in done and name not in under_way)
        return cls(path, FolderLock.is_held(path) is True, done, failed, under_way, waiting)

    @property
    def total(self) -> int:
        return len(self.done) + len({*self.failed, *self.under_way, *self.waiting})

    def as_json(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "folder": str(self.folder),
            "running": self.is_running,
            "items": self.total,
            "done": len(self.done),
            "frames": sum(record["frames"] for record in self.done.values()),
            "under_way": list(self.under_way),
            "waiting": len(self.waiting),
            "failed": {name: record["reason"] for name, record in self.failed.items()},
        }

    def as_text(self) -> str:
        """For a person: a line, and one for each item that failed."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        frames = sum(record["frames"] for record in self.done.values())
        counts = [f"{len(self.done)} of {self.total} items done ({frames} frames)"]
        counts += [f"{len(self.failed)} failed"] if self.failed else []
        counts += [f"{len(self.under_way)} under way"] if self.under_way else []
        counts += [f"{len(self.waiting)} waiting"] if self.waiting else []
        if not self.is_running and (self.waiting or self.under_way):
            counts.append("nobody is at work: give the same command again to go on")
        elif not self.is_running and self.failed:
            counts.append("which the same command tries again")
        yield f"{', '.join(counts)}; {self.folder}"
        yield from (f"  {name}: {record['reason']}" for name, record in self.failed.items())
