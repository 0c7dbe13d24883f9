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

from roma_device.app.sinks.disk_room import check_room
from roma_device.calibration.formats.own import save_calibration
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import flush_folder, write_atomic, write_exit_code
from roma_device.runtime.types import StereoFrame

from .layout import CALIBRATION, FORMAT, MAGIC, SESSION, SUFFIX, VERSION, RecordingError, encode_pair

SYNC_S = 0.4
"""How often what was written is made to survive a power cut; a pair is at most about twice as old when it does."""

CHUNK_BYTES = 1 << 30
MIN_FREE_BYTES = 64 << 20
"""The recording pauses before the disk is full: others need it too."""

QUEUE_PAIRS = 16
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Between two attempts while the disk refuses."""

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
    """Takes pairs until the ``with`` block ends.

    Trouble with the disk stops nothing else: it is told, pairs are lost and counted while it lasts, and the recording
    goes on in a new file of its folder when it is over.
    """

    def __init__(self, folder: Path, *, wait: bool = False, min_free_bytes: int = MIN_FREE_BYTES) -> None:
        """``wait``: rather wait for the disk than lose a pair, for cameras that wait too."""
        self.folder, self._wait, self._min_free = folder, wait, min_free_bytes
        self._queue: queue.Queue[StereoFrame | None] = queue.Queue(QUEUE_PAIRS)
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._ended = threading.Event()
        self._file: FileIO | None = None
        self._chunks = 0
        self._synced_s = time.monotonic()
        self._about: dict[str, bytes] = {}  # files about the recording, in case the folder vanishes
        self._in_a_row = 0  # failures
        self.written = 0  # pairs
        self.lost = 0  # pairs for which the disk was too slow, or that came during trouble
        self.failures = 0
        self.problem = ""  # why nothing is recorded now

    def __enter__(self) -> Recorder:
        for name in (SESSION, CALIBRATION):
            with suppress(OSError):
                self._about[name] = (self.folder / name).read_bytes()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with suppress(queue.Full):
            self._queue.put(None, timeout=CLOSE_PATIENCE_S)
        self._thread.join(CLOSE_PATIENCE_S)
        if self._thread.is_alive():
            logger.error(f"the disk of {self.folder} does not answer: the end of the recording may be missing")

    def as_json(self) -> dict[str, Any]:
        """How it is doing, for JSON."""
        names = ("written", "lost", "failures", "problem")
        return {"folder": str(self.folder), **{name: getattr(self, name) for name in names}}

    def offer(self, frame: StereoFrame) -> None:
        """Queue a pair; never raises, and waits only if asked to."""
        if self.problem:
            self.lost += 1
            return
        try:
            self._queue.put(frame, block=self._wait, timeout=CLOSE_PATIENCE_S)
        except queue.Full:
            self.lost += 1
            if self.lost & (self.lost - 1) == 0:  # the 1st, 2nd, 4th, 8th...
                logger.warning(f"the disk is too slow: {self.lost} pairs are missing in the recording so far")

    def _work(self) -> None:
        """Whatever goes wrong is told: a recorder that has died unseen looks like a disk that is too slow."""
        is_done = False
        while not is_done:
            try:
                if self.problem:
                    self._recover()
                self._record_all()
                is_done = True
            except Exception as error:
                self._suffer(error)
                pause_s = FIRST_PAUSE_S * 2 ** min(self._in_a_row, 6)
                is_done = self._ended.wait(min(pause_s, LONGEST_PAUSE_S))
        self._close_file()

    def _record_all(self) -> None:
        while (frame := self._next()) is not None:
            self._write(frame)
            self._sync_if_due()

    def _next(self) -> StereoFrame | None:
        """The next pair; while there is none, what was written still reaches the disk in time."""
        while True:
            try:
                return self._queue.get(timeout=SYNC_S)
            except queue.Empty:
                self._sync_if_due()

    def _write(self, frame: StereoFrame) -> None:
        """All of a record or nothing of it."""
        try:
            parts = encode_pair(frame)
            file = self._file_with_room()
            end = file.tell()
            try:
                for part in parts:
                    if file.write(part) != memoryview(part).nbytes:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                with suppress(OSError):
                    file.truncate(end)
                raise
        except Exception:
            self.lost += 1
            raise
        self.written += 1

    def _file_with_room(self) -> FileIO:
        if self._file is not None and self._file.tell() < CHUNK_BYTES:
            return self._file
        self._close_file()
        path = self.folder / f"{self._chunks:06d}{SUFFIX}"
        file = FileIO(path, "x")
        try:
            if file.write(MAGIC) != len(MAGIC):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            flush_folder(self.folder)
        except OSError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        self._chunks += 1
        self._file = file
        return file

    def _sync_if_due(self) -> None:
        if self._file is None or time.monotonic() - self._synced_s < SYNC_S:
            return
        os.fdatasync(self._file.fileno())
        self._synced_s = time.monotonic()
        if not os.fstat(self._file.fileno()).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "it was removed")
        check_room(self.folder, self._min_free)

    def _close_file(self) -> None:
        if self._file is None:
            return
        with suppress(OSError):
            os.fsync(self._file.fileno())
        with suppress(OSError):
            self._file.close()
        self._file = None

    def _suffer(self, error: Exception) -> None:
        reason = error.strerror or repr(error) if isinstance(error, OSError) else str(error) or repr(error)
        self.problem = f"the recording {self.folder} stands still after {self.written} pairs: {reason}"
        self.failures, self._in_a_row = self.failures + 1, self._in_a_row + 1
        if self._in_a_row & (self._in_a_row - 1) == 0:
            logger.error(f"{self.problem}; all else goes on")
        self._close_file()

    def _recover(self) -> None:
        """Raises OSError while the disk still refuses."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, data in self._about.items():
            if not (self.folder / name).exists():
                write_atomic(self.folder / name, data)
        check_room(self.folder, self._min_free)
        self._file_with_room()
        logger.warning(f"recording into {self.folder} goes on; {self.lost} pairs are missing")
        self.problem, self._in_a_row = "", 0
