"""Whether a run can go on with what another one began."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from roma_device.app.sinks import SinkError

from .record import RunRecord

FREE = frozenset(
    {
        "frames",
        "max_fps",
        "threads",
        "monitor",
        "publish",
        "record",
        "health_every",
        "calibration",
        "output.folder",
        "output.existing",
    }
)
"""Settings that change no result, or that are compared by what they stand for."""


def check_same_run(folder: Path, before: RunRecord, now: RunRecord) -> None:
    """Raises SinkError for a run of other settings, another model or calibration; for poses, which begin anew."""
    if "pose" in now.settings.get("task", ()):
        raise SinkError(
            lambda option: (
                f"{folder} cannot be gone on with: poses are told from where the rig was at the start of a run; "
                f"give another {option('output')}"
            ),
            exit_code=os.EX_USAGE,
        )
    for what, old, new in (
        ("", before.settings, now.settings),
        ("model: ", before.model, now.model),
        ("calibration: ", _content(before.calibration), _content(now.calibration)),
    ):
        for key, was, is_now in differences(old, new):
            raise SinkError(
                f"{folder} holds another run, whose {what}{key} is {was!r}, not {is_now!r}: results of two "
                "kinds do not go into one folder",
                exit_code=os.EX_USAGE,
            )


def _content(calibration: Mapping[str, Any]) -> Mapping[str, Any]:
    """The numbers, wherever they came from; the sha256 speaks for all of them."""
    return {key: value for key, value in calibration.items() if key not in ("source", "content")}


def differences(old: Any, new: Any, prefix: str = "", free: frozenset[str] = FREE) -> Iterator[tuple[str, Any, Any]]:
    """Dotted key, old and new value of each difference of two mappings, ``free`` keys aside."""
    for key in sorted({*old, *new}):
        name = f"{prefix}{key}"
        before, after = _plain(old.get(key)), _plain(new.get(key))
        if name in free or before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from differences(before, after, f"{name}.", free)
        else:
            yield name, before, after


def _plain(value: Any) -> Any:
    """As JSON has it."""
    return list(value) if isinstance(value, tuple) else value
