"""The end of an attempt: its files reach the disk, are hashed, and appear under the item's name in one step."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from roma_device.app.run_folder.record import NAME as RUN_RECORD
from roma_device.calibration.storage.files import flush_folder, write_atomic

from .folders import DONE, BatchFolder

OF_TIMES = ("times", "total_ms")
"""Keys of results that no two runs have alike."""


def commit(folder: BatchFolder, name: str, attempt: Path, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Make ``attempt`` the result of the item ``name``, with ``record`` and the hashes of its files as ``done.json``.

    Returns what was written, or None where another attempt came first. Raises OSError.
    """
    files = dict(_hashes(attempt))
    outputs = [path for path in files if path != RUN_RECORD]
    done = {
        **record,
        "sha256": {path: files[path][0] for path in outputs},
        "content_sha256": _combined({path: files[path][1] for path in outputs}),
    }
    write_atomic(attempt / DONE, json.dumps(done, indent=2).encode() + b"\n")
    folder.items.mkdir(exist_ok=True)
    try:
        attempt.rename(folder.items / name)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return None
        raise
    flush_folder(folder.items)
    return done


def _hashes(attempt: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Of every file: its path, its sha256, and the same without times; each is on the disk then."""
    for path in sorted(attempt.rglob("*")):
        if path.is_dir():
            flush_folder(path)
        else:
            yield str(path.relative_to(attempt)), _hash(path)
    flush_folder(attempt)


def _hash(path: Path) -> tuple[str, str]:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    plain = digest.hexdigest()
    return plain, _timeless(path) if path.suffix == ".jsonl" else plain


def _timeless(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for line in file:
            record = json.loads(line)
            digest.update(json.dumps({key: record[key] for key in record if key not in OF_TIMES}).encode())
    return digest.hexdigest()


def _combined(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
