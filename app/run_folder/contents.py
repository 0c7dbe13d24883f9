"""What earlier runs left in a folder: which results there are, and up to which frame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

RESULTS = "results.jsonl"
_FRAME = re.compile(r"(\d{6,})(?:_(?:disparity\.pfm|(?:depth|confidence|preview)\.png)|\.ply)")
_WHOLE = re.compile(r"results(-png)?(-\d+)?\.(jsonl|mcap)|trajectory(-\d+)?\.tum")


def holds_results(folder: Path) -> bool:
    """Whether there are files such as runs write them; those of older versions have no ``run.json`` beside them."""
    return any(_FRAME.fullmatch(path.name) or _WHOLE.fullmatch(path.name) for path in folder.iterdir())


def last_index(folder: Path) -> int | None:
    """The highest index of a frame with results; None where there is none."""
    names = (_FRAME.fullmatch(path.name) for path in folder.iterdir())
    indices = [int(name[1]) for name in names if name is not None]
    return max([*indices, *_line_indices(folder)], default=None)


def drop_lines_from(folder: Path, index: int) -> None:
    """Cut ``results.jsonl`` before the line of frame ``index`` and before a torn one; raises OSError."""
    path = folder / RESULTS
    if not path.is_file():
        return
    kept = b"".join(line for line in path.read_bytes().splitlines(keepends=True) if _is_before(line, index))
    with path.open("r+b") as file:
        file.truncate(len(kept))


def _line_indices(folder: Path) -> Iterator[int]:
    path = folder / RESULTS
    if path.is_file():
        with path.open("rb") as file:
            yield from (found for line in file if (found := _index(line)) is not None)


def _is_before(line: bytes, index: int) -> bool:
    found = _index(line)
    return found is not None and found < index


def _index(line: bytes) -> int | None:
    """None for a line that a power cut tore."""
    if not line.endswith(b"\n"):
        return None
    try:
        found = json.loads(line)["index"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None
