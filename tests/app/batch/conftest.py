"""Batches of small items."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.app.command_line import call

Batch = Callable[..., tuple[int, str, str]]

SMALL = ("--input-width", "64", "--passes", "0", "--engine", "opencv", "--save", "disparity,results")


def scenes(count: int, frames: int = 2) -> list[str]:
    """Inputs that need no file."""
    return [f"simulated:room?size=64x48&frames={frames}&seed={number}" for number in range(count)]


def done_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The records of finished items, by name."""
    paths = sorted(folder.glob("items/*/done.json"))
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


@pytest.fixture
def batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Batch:
    """``roma-device batch WORDS --output tmp_path/out`` with a network as small as it gets."""

    def run(*words: str, small: bool = True, output: str = "out") -> tuple[int, str, str]:
        return call(capsys, "batch", *words, "--output", str(tmp_path / output), *(SMALL if small else ()))

    return run
