"""The folder of a run: chosen so that no other run's results are touched, and held against a second writer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeAlias

from loguru import logger

from roma_device.app.sinks import SinkError
from roma_device.app.sinks.file_sink import prepare_output_folder, told
from roma_device.calibration.errors import Option, RomaError

from .contents import drop_lines_from, holds_results, last_index
from .lock import FolderLock
from .record import NAME, DamagedRecordError, RunRecord, now, read_record
from .same_run import check_same_run

Existing: TypeAlias = Literal["number", "resume", "refuse"]
"""What becomes of an output folder that holds another run: number: the next free DIR-2, DIR-3... is taken; resume: that
run goes on; refuse: this one does not begin."""


class RunFolder(AbstractContextManager["RunFolder"]):
    """Held from its making to the end of the ``with`` block; ``run.json`` is there from ``begin`` on."""

    def __init__(self, path: Path, lock: FolderLock, previous: RunRecord | None, is_new: bool) -> None:
        """``previous``: of the run that is to go on."""
        self.path, self._lock, self.previous, self._is_new = path, lock, previous, is_new
        self.first_index = 0  # of the frames that this run adds
        self.frames = 0  # in the folder
        self._record: RunRecord | None = None

    @classmethod
    def claim(cls, path: Path, existing: Existing = "number") -> RunFolder:
        """The folder ``path``, or a numbered one beside it; raises SinkError, one sentence, where that cannot be."""
        is_new = not path.exists()
        prepare_output_folder(path)
        lock = _lock(path)
        if lock is None:
            return _numbered(path, existing, f"another run is writing into {path}", os.EX_TEMPFAIL)
        try:
            return cls._of_locked(path, lock, existing, is_new)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _of_locked(cls, path: Path, lock: FolderLock, existing: Existing, is_new: bool) -> RunFolder:
        previous, problem = _found(path)
        if problem is None and (previous is None or existing == "resume"):
            return cls(path, lock, previous, is_new)
        held = problem or f"{path} holds {previous.told if previous else 'another run'}"
        lock.release()
        return _numbered(path, existing, held, os.EX_CANTCREAT)

    @property
    def is_resumed(self) -> bool:
        return self.previous is not None

    def begin(
        self,
        settings: Mapping[str, Any],
        model: Mapping[str, Any],
        calibration: Mapping[str, Any],
        *,
        redo_last: bool = False,
    ) -> None:
        """Write ``run.json``; from here on the folder is this run's.

        ``redo_last``: a crash may have left the last frame's files incomplete, and the camera can show it again.
        Raises SinkError, also where the run to go on with was another one.
        """
        record = RunRecord("running", now(), settings=settings, model=model, calibration=calibration)
        if self.previous is not None:
            check_same_run(self.path, self.previous, record)
            record = self._go_on(self.previous, record, redo_last)
        with told(f"cannot write {self.path / NAME}"):
            record.write(self.path)
        self._record = record

    def _go_on(self, previous: RunRecord, record: RunRecord, redo_last: bool) -> RunRecord:
        last = last_index(self.path)
        self.first_index = max(previous.frames, 0 if last is None else last + 1)
        if redo_last and previous.state == "crashed" and self.first_index:
            self.first_index -= 1
        with told(f"cannot go on with {self.path}"):
            drop_lines_from(self.path, self.first_index)
        self.frames = self.first_index
        return replace(record, started_at=previous.started_at, resumed_at=(*previous.resumed_at, now()))

    def observe(self, _: object) -> None:
        """Observer: a result went through."""
        self.frames += 1

    def end(self, problem: str | None, note: str | None = None) -> None:
        """Say what became of the run: failed for ``problem``, else done, with a ``note``."""
        self._finish("failed" if problem else "done", problem or note)

    def _finish(self, state: Literal["done", "failed"], reason: str | None) -> None:
        if self._record is None:
            return
        try:
            self._record.ended(state, self.frames, reason).write(self.path)
        except OSError as error:
            logger.error(f"cannot write {self.path / NAME}: {error.strerror}: the run will look as if it had crashed")
        self._record = None

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        if error is not None and not isinstance(error, GeneratorExit):  # a loop that is left early is no failure
            self._finish("failed", str(error) if isinstance(error, RomaError) else repr(error))
        self._finish("done", None)
        if self._is_new:
            with suppress(OSError):  # it is not empty: it holds the run
                self.path.rmdir()
        self._lock.release()


def _lock(path: Path) -> FolderLock | None:
    with told(f"cannot lock the output folder {path}"):
        return FolderLock.take(path)


def _found(path: Path) -> tuple[RunRecord | None, str | None]:
    """The run that the locked folder ``path`` holds, and why nothing can go on there; both None where it is free.

    A run that is still "running", and yet has left its lock, crashed: from now on its record says so. One that did
    not come to its first frame is not worth keeping.
    """
    try:
        record = read_record(path)
    except DamagedRecordError as error:
        return None, str(error)
    if record is None:
        return None, f"{path} holds results of a run that left no {NAME}" if holds_results(path) else None
    last = last_index(path)
    if record.state == "running":
        record = record.ended("crashed", max(record.frames, 0 if last is None else last + 1))
        with told(f"cannot write {path / NAME}"):
            record.write(path)
    return (None if record.frames == 0 and not holds_results(path) else record), None


def _numbered(path: Path, existing: Existing, held: str, code: int) -> RunFolder:
    """A folder of its own for this run, where that is wanted; ``held`` says what is wrong with ``path``."""
    if existing != "number":
        raise _refused(held, may_resume=existing == "refuse" and code == os.EX_CANTCREAT, code=code)
    for candidate in _candidates(path):
        with told(f"cannot make the output folder {candidate}"):
            try:
                candidate.mkdir()
            except FileExistsError:  # another program was faster
                continue
        lock = _lock(candidate)
        if lock is not None:
            logger.info(f"{held}: this run goes into {candidate}")
            return RunFolder(candidate, lock, None, is_new=True)
    raise AssertionError("numbers do not end")


def _refused(held: str, *, may_resume: bool, code: int) -> SinkError:
    def sentence(option: Option) -> str:
        resume = f", or {option('existing', 'resume')} to go on with it" if may_resume else ""
        return f"{held}: give another {option('output')}{resume}"

    return SinkError(sentence, exit_code=code)


def _candidates(path: Path) -> Iterator[Path]:
    """``DIR-2``, ``DIR-3`` and so on, above the highest that is there.

    They lie beside DIR, or as ``run-2`` in it where its parent is on another disk or closed to us.
    """
    place = path.resolve()
    parent, stem = place.parent, place.name
    if not (stem and os.access(parent, os.W_OK) and parent.stat().st_dev == place.stat().st_dev):
        parent, stem = place, "run"
    numbered = re.compile(re.escape(stem) + r"-(\d+)")
    names = (numbered.fullmatch(other.name) for other in parent.iterdir())
    highest = max((int(name[1]) for name in names if name is not None), default=1)
    return (parent / f"{stem}-{number}" for number in count(max(highest, 1) + 1))
