"""The index of an evaluation set: rectified pairs with true disparity, listed in one JSON file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from loguru import logger

from roma_device.app.evaluate import EvaluationError, reading
from roma_device.app.evaluate.bad_lines import good_entries
from roma_device.calibration.arrays import FloatImage, Image, Mask, Size
from roma_device.calibration.storage.files import read_json

from .ground_truth import read_disparity, read_grey, read_mask, visible_in_right
from .truth_check import truth_doubts, truth_problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPair:
    """A rectified pair in memory: ``x_right = x_left - disparity_px`` in the same row."""

    left: Image  # (H, W) grey
    right: Image  # (H, W) grey
    disparity_px: FloatImage  # (H, W), NaN where unknown
    nonocc: Mask | None  # (H, W), true where the right camera sees it too; None where not known


@dataclass(frozen=True, slots=True)
class StereoPair:
    """One entry of an index; paths are complete, the other values as in the file."""

    index: Path  # the file that names the pair
    id: str
    left: Path
    right: Path
    disparity: Path
    scale: float  # stored value / scale = disparity in px
    invalid: float | None  # the stored value that means unknown; None: no such value
    nonocc_mask: Path | None = None
    size: Size | None = None
    kind: str = ""  # "real", "synthetic"
    K: tuple[float, ...] | None = None  # 3 x 3 by rows, left camera, px
    baseline_m: float | None = None
    doffs: float | None = None  # cx_right - cx_left in px

    def load(self) -> LoadedPair:
        """Read the images, the truth and the mask; raises EvaluationError."""
        left = self._read("left", lambda: read_grey(self.left))
        right = self._read("right", lambda: read_grey(self.right))
        truth = self._read("disparity", lambda: read_disparity(self.disparity, self.scale, self.invalid))
        mask = None
        if (mask_path := self.nonocc_mask) is not None:
            mask = self._read("nonocc_mask", lambda: read_mask(mask_path))
        self._check_sizes({"left": left, "right": right, "disparity": truth, "nonocc_mask": mask})
        self._check_truth(truth, left, right)
        return LoadedPair(left, right, truth, visible_in_right(truth) if mask is None else mask)

    def _read(self, key: str, read: Callable[[], T]) -> T:
        with reading(self._where(key), getattr(self, key)):
            return read()

    def _check_truth(self, truth: FloatImage, left: Image, right: Image) -> None:
        """Refuse truth of another sign or scale; warn where another one would fit the images better."""
        if problem := truth_problem(truth):
            raise EvaluationError(f"{self._where('disparity')}: {problem}")
        for doubt in truth_doubts(truth, left, right):
            logger.warning("{}: {}", self._where("disparity"), doubt)

    def _check_sizes(self, arrays: Mapping[str, Any]) -> None:
        expected = self.size or arrays["left"].shape[::-1]
        for key, array in arrays.items():
            if array is not None and array.shape[::-1] != expected:
                found = "x".join(map(str, array.shape[::-1]))
                size = f"{expected[0]}x{expected[1]}"
                raise EvaluationError(f"{self._where(key)}: is {found} px, but the pair is {size} px")

    def _where(self, key: str) -> str:
        return f"{self.index}: pair {self.id!r}: {key}"


def load_index(path: Path) -> list[StereoPair]:
    """Read an index; single bad entries are left out with a warning.

    Raises EvaluationError naming the file, the pair and the key at fault where they are many.
    """
    raw = read_json(path, "index", EvaluationError)
    if not isinstance(raw, dict) or not isinstance(entries := raw.get("pairs"), list) or not entries:
        raise EvaluationError(f"{path}: 'pairs' must be a list of at least one pair")
    _check_keys(raw, {"protocol", "pairs"}, {"pairs"}, str(path))
    pairs = good_entries(path, entries, lambda number, entry: _pair(entry, path, number))
    if repeated := [name for name, count in Counter(pair.id for pair in pairs).items() if count > 1]:
        raise EvaluationError(f"{path}: pair {repeated[0]!r}: id: stands there twice")
    return pairs


def _pair(entry: Any, index: Path, number: int) -> StereoPair:
    if not isinstance(entry, dict):
        raise EvaluationError(f"{index}: pair number {number}: must be a mapping of keys to values")
    where = f"{index}: pair {entry['id']!r}" if "id" in entry else f"{index}: pair number {number}"
    _check_keys(entry, set(_PARSERS) | _REMARKS, _REQUIRED, where)
    values: dict[str, Any] = {}
    for key, parse in _PARSERS.items():
        if key not in entry or (entry[key] is None and key not in _REQUIRED):
            continue
        try:
            values[key] = parse(entry[key])
        except ValueError as error:
            raise EvaluationError(f"{where}: {key}: {error}") from None
    return StereoPair(index, **{key: index.parent / v if key in _PATHS else v for key, v in values.items()})


def _check_keys(raw: Mapping[str, Any], known: set[str], required: set[str], where: str) -> None:
    if unknown := sorted(set(raw) - known):
        raise EvaluationError(f"{where}: {unknown[0]}: unknown key; known: {', '.join(sorted(known))}")
    if missing := sorted(required - set(raw)):
        raise EvaluationError(f"{where}: {missing[0]}: the key is missing")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a text, not {value!r}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"must be a number, not {value!r}")
    return float(value)


def _positive(value: Any) -> float:
    if (number := _number(value)) <= 0:
        raise ValueError(f"must be above 0, not {value!r}")
    return number


def _invalid(value: Any) -> float | None:
    if isinstance(value, str) and value not in ("inf", "none"):
        raise ValueError(f"must be a number, 'inf' or 'none', not {value!r}")
    return None if isinstance(value, str) else _number(value)


def _size(value: Any) -> Size:
    match value:
        case [int(width), int(height)] if width > 0 and height > 0:
            return Size(width, height)
    raise ValueError(f"must be [width, height] in px, not {value!r}")


def _matrix(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != 9:
        raise ValueError(f"must be a list of nine numbers, not {value!r}")
    return tuple(map(_number, value))


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "id": _text,
    "left": _text,
    "right": _text,
    "disparity": _text,
    "scale": _positive,
    "invalid": _invalid,
    "nonocc_mask": _text,
    "size": _size,
    "kind": _text,
    "K": _matrix,
    "baseline_m": _positive,
    "doffs": _number,
}
_PATHS = {"left", "right", "disparity", "nonocc_mask"}
_REQUIRED = {"id", "left", "right", "disparity", "scale", "invalid"}
_REMARKS = {"licence", "source", "note", "max_disparity_px"}
