"""Timestamps in file names (ns, us, ms, seconds, dates), EuRoC's data.csv, and synchronization by nearest timestamp."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from statistics import median

from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.files import read_text

MAX_SKEW_MS = 10.0
"""Two images that are farther apart in time are no pair."""

_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d{2})[_-]?(0[1-9]|1[0-2])[_-]?([0-3]\d)[T_-]?([0-2]\d)[_:-]?([0-5]\d)[_:-]?([0-5]\d)"
    r"(?:[._-]?(\d{3,9}))?(?!\d)"
)
_SECONDS = re.compile(r"(?<!\d)([1-9]\d{9})(?:\.(\d{3,9})|[_-](\d{9}|\d{6}))(?!\d)|^(\d{1,9})\.(\d{3,9})$")
_WHOLE = re.compile(r"(?<!\d)([1-9]\d{11,18})(?!\d)")
_EPOCH_S = range(946_684_800, 4_102_444_800)  # 2000 to 2100
SHORTEST_PERIOD_NS = 10**6
"""Of frames: stamps since the start of a machine, whose unit nothing tells, are taken as no closer than that."""


def stamp_ns(stem: str) -> int | None:
    """The time that a file's name tells, None where it holds none that is surely one."""
    if (match := _DATE.search(stem)) is not None:
        return _of_date(match)
    if (match := _SECONDS.search(stem)) is not None:
        whole, part = match.group(1) or match.group(4), next(filter(None, match.group(2, 3, 5)))
        return int(whole) * 10**9 + int(part.ljust(9, "0"))
    match = _WHOLE.search(stem)
    return None if match is None else int(match.group()) * unit_ns(int(match.group()))


def unit_ns(value: int) -> int:
    """Nanoseconds per unit of a whole stamp: by which unit makes it a time of this century, 1 where none does."""
    return next((unit for unit in (1, 10**3, 10**6, 10**9) if value * unit // 10**9 in _EPOCH_S), 1)


def _of_date(match: re.Match[str]) -> int | None:
    words = match.groups()
    if words[6] is None:
        return None  # whole seconds do not tell frames apart
    try:
        second = datetime(*map(int, words[:6]), tzinfo=timezone.utc)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    return int(second.timestamp()) * 10**9 + int(words[6].ljust(9, "0"))


def times_ns(paths: Sequence[Path]) -> list[int] | None:
    """The time of each image by data.csv beside its folder or by its name; None where one has none or two are equal."""
    listed = {name: time for folder in {path.parent for path in paths} for name, time in _listed(folder).items()}
    found = [listed.get(str(path)) or stamp_ns(path.stem) for path in paths]
    times = [time for time in found if time is not None]
    if not len(times) == len(paths) == len(set(times)):
        return None
    unit = 1
    if max(times) // 10**9 not in _EPOCH_S:
        while len(times) > 1 and period_ns(times) * unit < SHORTEST_PERIOD_NS:
            unit *= 1000
    return [time * unit for time in times]


def period_ns(times: Sequence[int]) -> int:
    """The median time between frames."""
    ranked = sorted(times)
    return int(median(later - earlier for earlier, later in pairwise(ranked))) if len(times) > 1 else 10**18


def _listed(folder: Path) -> dict[str, int]:
    """EuRoC's data.csv: ``timestamp [ns],filename`` in each line; nothing where there is no such file."""
    file = folder.parent / "data.csv"
    if not file.is_file():
        return {}
    try:
        rows = [line.split(",") for line in read_text(file, error=RomaError).splitlines() if "," in line]
    except RomaError:
        return {}
    return {str(folder / row[1].strip()): int(row[0]) for row in rows if row[0].strip().isdecimal()}


def nearest_in_time(left_ns: Sequence[int], right_ns: Sequence[int], max_skew_ns: int) -> list[tuple[int, int]]:
    """Indices of the pairs that are nearest to each other from both sides and within the tolerance."""
    forth, back = _nearest(left_ns, right_ns), _nearest(right_ns, left_ns)
    return [
        (index, other)
        for index, other in enumerate(forth)
        if back[other] == index and abs(left_ns[index] - right_ns[other]) <= max_skew_ns
    ]


def _nearest(times: Sequence[int], others: Sequence[int]) -> list[int]:
    order = sorted(range(len(others)), key=others.__getitem__)
    ranked = [others[index] for index in order]
    found = []
    for time in times:
        at = bisect_left(ranked, time)
        near = [index for index in (at - 1, at) if 0 <= index < len(ranked)]
        found.append(order[min(near, key=lambda index: abs(ranked[index] - time))])
    return found
