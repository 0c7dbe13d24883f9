"""``run.json``: what a run was made of, and what became of it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.files import read_json, write_atomic

NAME = "run.json"
FORMAT, VERSION = "roma-device-run", 1

State = Literal["running", "done", "failed", "crashed"]
"""running: also what a run leaves that was killed, until the next one that looks calls it crashed."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The content of ``run.json``."""

    state: State
    started_at: str  # ISO 8601, UTC
    frames: int = 0  # in the folder, at the end of the run
    ended_at: str | None = None
    reason: str | None = None  # why it failed, or what ended it early
    resumed_at: tuple[str, ...] = ()
    software: str = field(default_factory=lambda: f"roma-device {version('roma-device')}")
    host: str = field(default_factory=socket.gethostname)
    process: int = field(default_factory=os.getpid)
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)  # name, sha256 of each file
    calibration: Mapping[str, Any] = field(default_factory=dict)  # source, baseline_m, made_at...

    @property
    def told(self) -> str:
        """The run in a few words, for a sentence."""
        return f"the run of {self.started_at} ({self.state}, {self.frames} frames)"

    def ended(self, state: State, frames: int, reason: str | None = None) -> RunRecord:
        """The record of a run that is over."""
        return replace(self, state=state, frames=frames, ended_at=now(), reason=reason)

    def write(self, folder: Path) -> None:
        """Replace ``run.json`` in ``folder``, so that it survives a power cut; raises OSError."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        write_atomic(folder / NAME, json.dumps(content, indent=2, default=str).encode() + b"\n")


class DamagedRecordError(RomaError):
    """A ``run.json`` that is none."""

    exit_code = os.EX_DATAERR


def now() -> str:
    """The present time as a record has it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def read_record(folder: Path) -> RunRecord | None:
    """None where there is no ``run.json``; raises DamagedRecordError."""
    path = folder / NAME
    if not path.exists():
        return None
    content = read_json(path, "record of a run", DamagedRecordError)
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise DamagedRecordError(f"{path} does not describe a run of this version of the program")
    known = {each.name for each in fields(RunRecord)}
    try:
        record = RunRecord(**{key: value for key, value in content.items() if key in known})
    except TypeError:
        raise DamagedRecordError(f"{path} lacks the state or the start of the run") from None
    return replace(record, resumed_at=tuple(record.resumed_at))
