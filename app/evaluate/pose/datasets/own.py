"""Our own list: a JSON file.

``{"pairs": [{"id", "set", "a", "b", "K_a", "K_b", "R_b_from_a", "t_b_from_a"}, ...]}`` with matrices by rows, K for the
stored images with pixel centres at integers, and ``x_b = R x_a + t`` in any unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roma_device.app.evaluate import EvaluationError
from roma_device.app.evaluate.bad_lines import good_entries
from roma_device.app.evaluate.pose.datasets import PoseImage, PosePair, checked_matrix, checked_pose
from roma_device.calibration.storage.files import read_json

_NUMBERS = {"K_a": 9, "K_b": 9, "R_b_from_a": 9, "t_b_from_a": 3}
_TEXTS = ("id", "a", "b")


def load_own(path: Path, images: Path) -> list[PosePair]:
    """Single bad entries are left out with a warning; raises EvaluationError where they are many."""
    raw = read_json(path, "pairs", EvaluationError)
    if not isinstance(raw, dict) or not isinstance(entries := raw.get("pairs"), list):
        raise EvaluationError(f"{path}: 'pairs' must be a list")
    return good_entries(path, entries, lambda number, entry: _pair(entry, number, path, images))


def _pair(entry: Any, number: int, path: Path, images: Path) -> PosePair:
    where = f"{path}: pair number {number}"
    if not isinstance(entry, dict):
        raise EvaluationError(f"{where}: must be a mapping of keys to values")
    texts = {key: _text(entry, key, where) for key in _TEXTS}
    where = f"{path}: pair {texts['id']!r}"
    numbers = {key: _numbers(entry, key, count, where) for key, count in _NUMBERS.items()}
    return PosePair(
        path,
        texts["id"],
        str(entry.get("set", path.stem)),
        PoseImage(images / texts["a"], checked_matrix(numbers["K_a"], f"{where}: K_a")),
        PoseImage(images / texts["b"], checked_matrix(numbers["K_b"], f"{where}: K_b")),
        checked_pose(numbers["R_b_from_a"], numbers["t_b_from_a"], where),
    )


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise EvaluationError(f"{where}: {key}: must be a text, not {value!r}")
    return value


def _numbers(entry: Mapping[str, Any], key: str, count: int, where: str) -> list[float]:
    values = entry.get(key)
    good = isinstance(values, list) and len(values) == count
    if not good or not all(_is_number(value) for value in values or ()):
        raise EvaluationError(f"{where}: {key}: must be a list of {count} numbers")
    return [float(value) for value in values or ()]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
