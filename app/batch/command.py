"""``roma-device batch``: the job frozen, its items given to workers, and what became of each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from loguru import logger

from roma_device.app.run_folder.lock import FolderLock
from roma_device.app.run_folder.record import now
from roma_device.app.settings.settings import Settings
from roma_device.app.sinks.file_sink import prepare_output_folder, told
from roma_device.app.workers import Finished, work_through
from roma_device.app.workers.address import parse_address
from roma_device.app.workers.opening import open_workers
from roma_device.calibration.errors import RomaError

from . import BatchError
from .folders import BatchFolder
from .items import Item, camera_files, find_items
from .job import Job, items_of, read_job
from .process import Outcome, Work, process
from .progress import Progress
from .report import write_report
from .status import BatchStatus


@dataclass(frozen=True, slots=True)
class BatchChoice:
    """What the user asked for besides the settings."""

    inputs: Sequence[str]
    output: Path
    on: str = "local:1"
    retries: int = 2
    as_json: bool = False
    is_quiet: bool = False


def run_batch(settings: Settings, choice: BatchChoice) -> int:
    """Do what is not done yet; returns the exit code: 65 where items failed. Raises RomaError."""
    parse_address(choice.on)
    folder = BatchFolder(choice.output.absolute())
    job = Job.of(settings, _items(choice, folder))
    prepare_output_folder(folder.path)
    with _locked(folder):
        job.freeze(folder)
        folder.sweep()
        try:
            _Batch(job, folder, choice).work()
        finally:
            folder.sweep()
        write_report(folder.path)
    status = BatchStatus.read(folder.path)
    click.echo(json.dumps({"summary": status.as_json()}) if choice.as_json else status.as_text())
    return os.EX_DATAERR if status.failed else os.EX_OK


def _items(choice: BatchChoice, folder: BatchFolder) -> list[Item]:
    """Those of the inputs; without any, those of the job that is there."""
    if choice.inputs:
        return find_items(choice.inputs)
    job = read_job(folder.path)
    if job is None:
        raise BatchError(f"{folder.path} holds no batch to go on with: name the inputs")
    return items_of(job)


@contextmanager
def _locked(folder: BatchFolder) -> Iterator[None]:
    with told(f"cannot lock {folder.path}"):
        lock = FolderLock.take(folder.path)
    if lock is None:
        message = f"another batch is at work in {folder.path}: roma-device batch status {folder.path} tells how far"
        raise BatchError(message, exit_code=os.EX_TEMPFAIL)
    try:
        yield
    finally:
        lock.release()


class _Batch:
    """One going through the items that are left."""

    def __init__(self, job: Job, folder: BatchFolder, choice: BatchChoice) -> None:
        self._job, self._folder, self._choice = job, folder, choice
        self._tries: dict[str, int] = {}
        self._failures = 0

    def work(self) -> None:
        """Raises RomaError where nothing can go on."""
        work = dict(self._left())
        sizes = {name: _size(item) for name, item in self._named(work)}
        self._progress = Progress(sizes, len(self._job.items) - len(work) - self._failures, self._choice.is_quiet)
        if not work:
            return
        with open_workers(self._choice.on, self._job.settings.model) as workers:
            try:
                for over in work_through(workers, process, work.items(), self._is_to_try_again, self._progress.show):
                    self._take(over)
            finally:
                self._progress.clear()

    def _left(self) -> Iterator[tuple[str, Work]]:
        """Items that are not done; one that cannot even be looked at has failed."""
        for item in self._job.items:
            try:
                key, done = self._job.key(item), self._folder.done(item.name)
                if done is None:
                    yield item.name, Work(self._folder.path, item.name, key, self._job.settings_of(item))
                elif done.get("key") != key:
                    raise BatchError(
                        f"{item.camera} has changed since {self._folder.items / item.name} was made of it: remove that "
                        "folder to have it made anew"
                    )
                else:
                    self._folder.forget_failure(item.name)
            except (RomaError, OSError) as error:
                self._fail(item.name, str(error), getattr(error, "exit_code", os.EX_NOINPUT))

    def _named(self, work: dict[str, Work]) -> Iterator[tuple[str, Item]]:
        return ((item.name, item) for item in self._job.items if item.name in work)

    def _is_to_try_again(self, over: Finished[Outcome]) -> bool:
        """Not where it would end the same way; without counting where the worker died before it began."""
        name, outcome = over.key, _outcome(over)
        was_killed = over.problem is not None and over.problem.was_killed
        began = not was_killed or self._folder.sweep(name) > 0
        self._tries[name] = self._tries.get(name, 0) + began
        if outcome.is_final or self._tries[name] > self._choice.retries or self._is_done(name):
            return False
        logger.warning(f"{name} is tried again: {outcome.sentence}")
        return True

    def _take(self, over: Finished[Outcome]) -> None:
        name, outcome = over.key, _outcome(over)
        if outcome.state == "disk":
            message = f"{outcome.sentence}: make room, and give the same command again to go on"
            raise BatchError(message, exit_code=os.EX_IOERR)
        is_done = self._is_done(name)
        if is_done:
            self._folder.forget_failure(name)
            self._say(name, {"state": "done", "seconds": round(outcome.seconds, 3)})
        else:
            self._fail(name, outcome.sentence, outcome.exit_code)
        self._progress.count(name, failed=not is_done)

    def _is_done(self, name: str) -> bool:
        """A worker may have died after its work."""
        return self._folder.done(name) is not None

    def _fail(self, name: str, sentence: str, exit_code: int) -> None:
        self._failures += 1
        record = {"reason": sentence, "exit_code": exit_code, "at": now(), "tries": self._tries.get(name, 0) or 1}
        with told(f"cannot write into {self._folder.failed}"):
            self._folder.write_failure(name, record)
        if not self._choice.as_json:
            logger.error(f"{name}: {sentence}")
        self._say(name, {"state": "failed", **record})

    def _say(self, name: str, record: dict[str, Any]) -> None:
        if self._choice.as_json:
            click.echo(json.dumps({"item": name, **record}))


def _outcome(over: Finished[Outcome]) -> Outcome:
    if over.result is not None:
        return over.result
    assert over.problem is not None
    sentence = "its worker died each time that it was tried" if over.problem.was_killed else over.problem.sentence
    return Outcome("failed", sentence, over.problem.exit_code)


def _size(item: Item) -> int:
    """Of its files in bytes; what has none counts as one."""
    try:
        return sum(path.stat().st_size for path in camera_files(item)) or 1
    except (RomaError, OSError):
        return 1
