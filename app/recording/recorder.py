"""Recorder of raw pairs, in a writer thread of its own: the loop never waits for the disk."""

from __future__ import annotations

import errno
import json
import os
import queue
import threading
import time
from contextlib import suppress
from datetime import datetime, timezone
from io import FileIO
from pathlib import Path
from typing import Any

from loguru import logger

from roma_device.calibration.formats.own import save_calibration
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import flush_folder, write_atomic, write_exit_code
from roma_device.runtime.types import StereoFrame

from .layout import CALIBRATION, FORMAT, MAGIC, SESSION, SUFFIX, VERSION, RecordingError, encode_pair

SYNC_S = 0.4
"""How often what was written is made to survive a power cut; a pair is at most about twice as old when it does."""

CHUNK_BYTES = 1 << 30
MIN_FREE_BYTES = 64 << 20
"""The recording ends before the disk is full: others need it too."""

QUEUE_PAIRS = 16
CLOSE_PATIENCE_S = 1.0


def new_session(parent: Path, facts: dict[str, Any], calibration: StereoCalibration | None) -> Path:
    """Make the folder of a new recording in ``parent``, named after the time; raises RecordingError."""
    made_at = datetime.now(timezone.utc)
    name = made_at.strftime("%Y%m%dT%H%M%SZ")
    try:
        folder = _free_folder(parent, name)
        if calibration is not None:
            save_calibration(folder / CALIBRATION, calibration)
        session = {"format": FORMAT, "version": VERSION, "made_at": made_at.isoformat(), **facts}
        write_atomic(folder / SESSION, json.dumps(session, indent=2, default=str).encode())
    except OSError as error:
        message = f"cannot make a recording in {parent}: {error.strerror}"
        raise RecordingError(message, exit_code=write_exit_code(error)) from error
    return folder


def _free_folder(parent: Path, name: str) -> Path:
    """Two recordings may begin within the same second."""
    for number in range(100):
        folder = parent / (f"{name}-{number}" if number else name)
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))


class Recorder:
    """Takes pairs until the ``with`` block ends or the disk is full, which ends the recording and nothing else."""

    def __init__(self, folder: Path, *, wait: bool = False, min_free_bytes: int = MIN_FREE_BYTES) -> None:
        """``wait``: rather wait for the disk than lose a pair, for cameras that wait too."""
        self.folder, self._wait, self._min_free = folder, wait, min_free_bytes
        self._queue: queue.Queue[StereoFrame | None] = queue.Queue(QUEUE_PAIRS)
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._file: FileIO | None = None
        self._chunks = 0
        self._synced_s = time.monotonic()
        self.written = 0  # pairs
        self.lost = 0  # pairs for which the disk was too slow
        self.problem = ""  # why the recording ended early

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(queue.Full):
            self._queue.put(None, timeout=CLOSE_PATIENCE_S)
        self._thread.join(CLOSE_PATIENCE_S)
        if self._thread.is_alive():
            logger.error(f"the disk of {self.folder} does not answer: the end of the recording may be missing")

    def offer(self, frame: StereoFrame) -> None:
        """Queue a pair; never raises, and waits only if asked to."""
        if self.problem:
            return
        try:
            self._queue.put(frame, block=self._wait, timeout=CLOSE_PATIENCE_S)
        except queue.Full:
            self.lost += 1
            if self.lost & (self.lost - 1) == 0:  # the 1st, 2nd, 4th, 8th...
                logger.warning(f"the disk is too slow: {self.lost} pairs are missing in the recording so far")

    def _work(self) -> None:
        try:
            while (frame := self._next()) is not None:
                self._write(frame)
                self._sync_if_due()
        except (OSError, RecordingError) as error:
            self._give_up(error)
        self._close_file()

    def _next(self) -> StereoFrame | None:
        """The next pair; while there is none, what was written still reaches the disk in time."""
        while True:
            try:
                return self._queue.get(timeout=SYNC_S)
            except queue.Empty:
                self._sync_if_due()

    def _write(self, frame: StereoFrame) -> None:
        """All of a record or nothing of it."""
        file = self._file_with_room()
        end = file.tell()
        try:
            for part in encode_pair(frame):
                if file.write(part) != memoryview(part).nbytes:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with suppress(OSError):
                file.truncate(end)
            raise
        self.written += 1

    def _file_with_room(self) -> FileIO:
        if self._file is None or self._file.tell() >= CHUNK_BYTES:
            self._close_file()
            self._file = FileIO(self.folder / f"{self._chunks:06d}{SUFFIX}", "x")
            self._file.write(MAGIC)
            self._chunks += 1
            flush_folder(self.folder)
        return self._file

    def _sync_if_due(self) -> None:
        if self._file is None or time.monotonic() - self._synced_s < SYNC_S:
            return
        os.fdatasync(self._file.fileno())
        self._synced_s = time.monotonic()
        free = os.statvfs(self.folder)
        if free.f_bavail * free.f_frsize < self._min_free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _close_file(self) -> None:
        if self._file is None:
            return
        with suppress(OSError):
            os.fsync(self._file.fileno())
        self._file.close()
        self._file = None

    def _give_up(self, error: OSError | RecordingError) -> None:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        self.problem = f"the recording {self.folder} ended after {self.written} pairs: {reason}"
        logger.error(f"{self.problem}; all else goes on")
        while True:  # whoever waits to put something in shall not wait any longer
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return
