"""Indices of items: a JSON file that lists cameras, rectified pairs or folders of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roma_device.app.evaluate.stereo.index import StereoPair, load_index
from roma_device.calibration.storage.files import read_json

from . import BatchError

LISTS = ("items", "pairs", "clips")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an index; the path in ``camera`` may be relative to the index."""

    name: str
    camera: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def is_index(path: Path) -> bool:
    """Whether ``path`` is called like one."""
    return path.suffix.lower() == ".json"


def read_index(path: Path) -> list[Entry]:
    """Entries of ``{"items": [{"id", "camera", "settings"}]}``, of an evaluation set's ``{"pairs": ...}``, or of
    ``{"clips": [{"id", "dir"}]}``; raises RomaError naming file and entry."""
    raw = read_json(path, "index", BatchError)
    names = [name for name in LISTS if isinstance(raw, dict) and isinstance(raw.get(name), list)]
    if not names or not raw[names[0]]:
        raise BatchError(f"{path}: must hold one of {', '.join(LISTS)}: a list of at least one entry")
    if names[0] == "pairs":
        return [_pair(pair) for pair in load_index(path)]
    return list(_entries(path, names[0], raw[names[0]]))


def _entries(path: Path, kind: str, entries: list[Any]) -> Iterator[Entry]:
    key = "camera" if kind == "items" else "dir"
    for number, entry in enumerate(entries):
        if not (isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in ("id", key))):
            raise BatchError(f"{path}: entry number {number} of {kind}: 'id' and {key!r} must be texts")
        settings = entry.get("settings", {}) if kind == "items" else {}
        if not isinstance(settings, dict):
            raise BatchError(f"{path}: entry {entry['id']!r}: settings must be a mapping, as in a settings file")
        if isinstance(settings.get("calibration"), str):
            settings = {**settings, "calibration": str(path.parent.absolute() / settings["calibration"])}
        yield Entry(entry["id"], entry[key] if kind == "items" else f"images:{entry[key]}", settings)


def _pair(pair: StereoPair) -> Entry:
    """Rectified, and metric where the set tells the rig."""
    settings: dict[str, Any] = {"rectified": True}
    if pair.K is not None and pair.baseline_m is not None:
        settings |= {"focal_px": pair.K[0], "baseline_m": pair.baseline_m, "doffs_px": pair.doffs or 0.0}
    return Entry(pair.id, f"images:{pair.left},{pair.right}", settings)
