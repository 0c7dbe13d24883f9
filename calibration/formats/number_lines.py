"""Parser of ``NAME: NUMBERS`` lines, as calibration files of data sets have them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.errors import CalibrationError

_SEPARATOR = re.compile(r"[\s,;\[\]]+")


def number_lines(text: str, separator: str) -> dict[str, FloatArray]:
    """Name -> numbers of every line ``NAME<separator>NUMBERS``; lines with other content are left out."""
    found = {}
    for line in text.splitlines():
        name, mark, rest = line.partition(separator)
        words = [word for word in _SEPARATOR.split(rest) if word]
        try:
            numbers = np.array([float(word) for word in words])
        except ValueError:
            continue
        if mark and len(numbers) and np.isfinite(numbers).all():
            found[name.strip()] = numbers
    return found


def numbers_of(lines: dict[str, FloatArray], name: str, count: int, path: Path) -> FloatArray:
    """The numbers of one line; raises CalibrationError where it is missing or of another length."""
    if name not in lines:
        raise CalibrationError(f"{path}: {name} is missing")
    if len(lines[name]) != count:
        raise CalibrationError(f"{path}: {name} must have {count} numbers, not {len(lines[name])}")
    return lines[name]
