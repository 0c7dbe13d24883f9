"""Items of a batch: what its inputs stand for, one camera each."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loguru import logger

from roma_device.app.cameras import CAMERAS, CameraError
from roma_device.app.cameras.file_pairs import find_pairs
from roma_device.app.cameras.pairing import first_few
from roma_device.app.recording.layout import SESSION, SUFFIX

from . import BatchError
from .index import is_index, read_index

VIDEOS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm"})
WITH_END = ("images", "recording", "simulated", "video")
LONGEST_NAME = 80
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One input of a batch; everything in it is plain, and its paths are absolute."""

    name: str  # of its folder
    camera: str  # as for run --camera
    settings: Mapping[str, Any] = field(default_factory=dict)  # of this item, over those of the batch


def find_items(inputs: Iterable[str]) -> list[Item]:
    """Recordings, videos, folders of pairs, indices and cameras with an end, in order; raises BatchError."""
    found = [item for text in inputs for item in _items_of(text)]
    if not found:
        raise BatchError("a batch needs inputs: recordings, videos, folders of pairs or an index")
    if doubled := [camera for camera, count in Counter(item.camera for item in found).items() if count > 1]:
        raise BatchError(f"{doubled[0]} is there twice")
    return _with_names_apart(found)


def _items_of(text: str) -> Iterator[Item]:
    path, kind = Path(text), text.partition(":")[0]
    if path.exists():
        yield from _items_at(path.absolute())
    elif ":" in text and kind in CAMERAS:
        if kind not in WITH_END:
            raise BatchError(f"{text}: a {kind} camera has no end: record it, and give the recording")
        yield Item(_name(text.partition(":")[2]), absolute_camera(text, Path.cwd()))
    else:
        raise BatchError(f"{text}: there is no such file or folder", exit_code=os.EX_NOINPUT)


def _items_at(path: Path) -> Iterator[Item]:
    if path.is_dir():
        yield from _items_in(path)
    elif path.suffix.lower() in VIDEOS:
        yield Item(_name(path.stem), f"video:{path}")
    elif is_index(path):
        for entry in read_index(path):
            yield Item(_name(entry.name), absolute_camera(entry.camera, path.parent), entry.settings)
    else:
        raise BatchError(f"{path} is no recording, video, folder of pairs or index (.json)", exit_code=os.EX_DATAERR)


def _items_in(folder: Path) -> Iterator[Item]:
    """A recording, those in a folder, else the folder's pairs; what is in it is looked at when it is worked on."""
    if _is_recording(folder):
        yield Item(_name(folder.name), f"recording:{folder}")
        return
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    is_recording = {path: _is_recording(path) for path in inside}
    if sessions := [path for path in inside if is_recording[path]]:
        if others := [path.name for path in inside if not is_recording[path]]:
            logger.warning(f"{folder}: no recordings, and left out: {first_few(others, MOST_NAMED)}")
        yield from (Item(_name(session.name), f"recording:{session}") for session in sessions)
        return
    try:
        find_pairs(str(folder))
    except CameraError as error:
        message = f"{folder} holds neither recordings nor pairs: {error}"
        raise BatchError(message, exit_code=error.exit_code) from None
    yield Item(_name(folder.name), f"images:{folder}")


def _is_recording(folder: Path) -> bool:
    """Also one that has lost its session: it is to fail under its name, not to be passed over."""
    return (folder / SESSION).is_file() or any(folder.glob(f"*{SUFFIX}"))


def absolute_camera(camera: str, base: Path) -> str:
    """``camera`` with its paths as seen from anywhere, those that are relative from ``base``."""
    kind, _, argument = camera.partition(":")
    if kind == "simulated":
        return camera
    names, mark, query = argument.partition("?")
    parts = [part if "://" in part else str(base.absolute() / part) for part in names.split(",")]
    return f"{kind}:{','.join(parts)}{mark}{query}"


def camera_files(item: Item) -> list[Path]:
    """The files that an item is made of, as far as they can be told; raises CameraError for pairs that are none."""
    kind, _, argument = item.camera.partition(":")
    if kind == "images":
        return [path for pair in find_pairs(argument.partition("?")[0]) for path in pair]
    if kind not in ("recording", "video"):
        return []
    parts = [Path(part) for part in argument.partition("?")[0].split(",")]
    inside = (sorted(part.rglob("*")) if part.is_dir() else [part] for part in parts)
    return [path for paths in inside for path in paths if path.is_file()]


def _name(text: str) -> str:
    """As a folder may be called."""
    return re.sub(r"[^\w.=-]+", "_", text).strip("._")[:LONGEST_NAME] or "item"


def _with_names_apart(items: list[Item]) -> list[Item]:
    """Those that would have the same folder get a mark of what they are."""
    counts = Counter(item.name for item in items)
    return [
        item if counts[item.name] == 1 else replace(item, name=f"{item.name}-{_mark(item.camera)}") for item in items
    ]


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
