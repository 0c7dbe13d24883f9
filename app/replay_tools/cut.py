"""A part of a recording as a recording of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger

from roma_device.app.cameras import CameraError
from roma_device.app.recording.layout import RecordingError
from roma_device.app.recording.recorder import Recorder, new_session

from .stored import StoredRecording


@dataclass(frozen=True, slots=True)
class CutReport:
    """What became of it."""

    folder: Path
    pairs: int

    def as_json(self) -> dict[str, Any]:
        return {"recording": str(self.folder), "pairs": self.pairs}

    def as_text(self) -> str:
        return f"{self.folder}: {self.pairs} pairs"


def cut(recording: StoredRecording, output: Path, start_s: float, end_s: float) -> CutReport:
    """The pairs from ``start_s`` until before ``end_s``, counted from the first, to the bit, in a folder of ``output``.

    At damage the part ends, with a warning. Raises RecordingError where nothing is left.
    """
    facts = {key: value for key, value in recording.session.items() if key not in ("format", "version", "made_at")}
    facts["cut"] = {"of": str(recording.folder), "start_s": start_s, "end_s": end_s}
    folder = new_session(output, facts, recording.calibration)
    with Recorder(folder, wait=True) as recorder:
        _copy(recording, recorder, start_s, end_s)
    if recorder.problem:
        raise RecordingError(recorder.problem, exit_code=os.EX_IOERR)
    if not recorder.written:
        raise RecordingError(f"{recording.folder} has no pair from {start_s:g} to {end_s:g} s: {folder} is empty")
    return CutReport(folder, recorder.written)


def _copy(recording: StoredRecording, recorder: Recorder, start_s: float, end_s: float) -> None:
    first_ns: int | None = None
    try:
        for frame in recording.frames():
            first_ns = frame.timestamp_ns if first_ns is None else first_ns
            after_s = (frame.timestamp_ns - first_ns) / 1e9
            if after_s >= end_s:
                return
            if after_s >= start_s:
                recorder.offer(frame)
    except CameraError as error:
        logger.warning("{}: the part ends there", error)
