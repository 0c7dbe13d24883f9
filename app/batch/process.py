"""One item of a batch, on whichever worker: from its camera to its folder."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2

from roma_device.app.cameras import open_camera
from roma_device.app.cameras.source import open_source
from roma_device.app.model_store import find_model
from roma_device.app.run.from_settings import begin_run, build_pipelines, open_run_folder, open_sinks, sink_names
from roma_device.app.run.geometry import choose_geometry
from roma_device.app.run.loop import run_frames
from roma_device.app.run.summary import Summary
from roma_device.app.run_folder.record import now
from roma_device.app.settings.settings import Settings
from roma_device.app.sinks.preview import draw_preview
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.files import write_atomic
from roma_device.runtime.types import Result

from .commit import commit
from .folders import BatchFolder

PREVIEW = "worst.jpg"
PREVIEW_WIDTH_PX, PREVIEW_QUALITY = 720, 80

OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE)
"""No other item would fare better."""

FINAL = (os.EX_USAGE, os.EX_DATAERR, os.EX_NOINPUT, os.EX_CONFIG, os.EX_NOPERM)
"""Exit codes of failures that another attempt would have too."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that a worker needs to know of an item."""

    folder: Path  # of the batch
    name: str
    key: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt."""

    state: Literal["done", "failed", "disk"]  # disk: it takes nothing more, of no item
    sentence: str = ""  # why not done
    exit_code: int = os.EX_OK
    seconds: float = 0.0

    @property
    def is_final(self) -> bool:
        """Whether another attempt would end the same way."""
        return self.state != "failed" or self.exit_code in FINAL


def process(work: Work) -> Outcome:
    """Do the item unless it is done; what is left of an attempt that fails is removed."""
    folder = BatchFolder(work.folder)
    started_s = time.monotonic()
    if folder.done(work.name) is None:
        try:
            _attempt(work, folder)
        except (RomaError, OSError) as error:
            return _failed(error, time.monotonic() - started_s)
    return Outcome("done", seconds=time.monotonic() - started_s)


def _attempt(work: Work, folder: BatchFolder) -> None:
    attempt = folder.new_attempt(work.name)
    try:
        _run(work, folder, attempt)
    finally:  # it has another name if it was the first
        shutil.rmtree(attempt, ignore_errors=True)


def _run(work: Work, batch: BatchFolder, attempt: Path) -> None:
    """As ``roma-device run`` would, but that the first failure of a sink ends it."""
    started_at, started_s = now(), time.monotonic()
    settings = _writing_into(work.settings, attempt)
    summary, worst = Summary(), _Worst()
    with ExitStack() as stack:
        folder = open_run_folder(settings, stack)
        assert folder is not None
        camera = stack.enter_context(open_camera(settings.camera or ""))
        card, geometry = find_model(settings.model), choose_geometry(settings, camera)
        sinks = _StrictSinks(open_sinks(settings, sink_names(settings, geometry, is_live=False), folder))
        begin_run(folder, _writing_into(work.settings, batch.items / work.name), card, camera, geometry)
        pipelines = build_pipelines(settings, card, geometry.rectification)
        source = open_source(camera, threading.Event())
        for result in run_frames(source, pipelines, sinks, settings.frames):
            for observer in (summary, worst, folder):
                observer.observe(result)
        if not summary.frames:
            raise RomaError(f"{settings.camera} holds not one pair", exit_code=os.EX_DATAERR)
        worst.write(attempt)
        folder.end(None)
        record = {
            "key": work.key,
            "camera": settings.camera,
            "frames": summary.frames,
            "started_at": started_at,
            "seconds": round(time.monotonic() - started_s, 3),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "figures": summary.as_json(),
        }
        commit(batch, work.name, attempt, record)


def _writing_into(settings: Settings, folder: Path) -> Settings:
    return settings.model_copy(update={"output": settings.output.model_copy(update={"folder": folder})})


def _failed(error: RomaError | OSError, seconds: float) -> Outcome:
    reason = error if isinstance(error, OSError) else error.__cause__
    code = error.exit_code if isinstance(error, RomaError) else os.EX_IOERR
    is_disk = isinstance(reason, OSError) and reason.errno in OF_THE_DISK
    return Outcome("disk" if is_disk else "failed", str(error), code, seconds)


class _StrictSinks(SinkSet):
    """A result that is not written is missing for ever: the item is not done."""

    def write(self, result: Result) -> None:
        for sink in self.sinks.values():
            sink.write(result)


class _Worst:
    """Observer: keeps the frame with the fewest known pixels, for the report."""

    def __init__(self) -> None:
        self._result: Result | None = None
        self._share = 2.0

    def observe(self, result: Result) -> None:
        share = float(result.known.mean())
        if share < self._share and "depth" in result.times.stages_ms:
            self._result, self._share = result, share

    def write(self, folder: Path) -> None:
        """None where no network ran."""
        if self._result is None:
            return
        picture = draw_preview(self._result)
        height, width = picture.shape[:2]
        size = (PREVIEW_WIDTH_PX, round(height * PREVIEW_WIDTH_PX / width))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, PREVIEW_QUALITY])
        assert done
        write_atomic(folder / PREVIEW, data.tobytes(), durable=False)
