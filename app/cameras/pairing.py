"""Stereo pairing of two lists of files: by name without the side's mark, by time, and by order as a last resort."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from loguru import logger

from . import CameraError
from .pair_names import Key, natural_key, unmarked
from .pair_times import MAX_SKEW_MS, nearest_in_time, period_ns, times_ns

Pair = tuple[Path, Path]
Sides = tuple[list[Path], list[Path]]

LEAST_SHARE = 0.5
"""Where no more than this share of the fuller side's images has a partner, the two are hardly one recording."""

MOST_NAMED = 5


def pair_files(names: tuple[str, str], left: list[Path], right: list[Path], max_skew_ms: float | None) -> list[Pair]:
    """Pairs of two sorted lists; ``names`` are the user's for both. Images without a partner are left out and named.

    Raises CameraError where more than half have none.
    """
    if len(left) == len(right) == 1:
        return [(left[0], right[0])]
    found = _by_time(names, left, right, max_skew_ms) or _by_key(left, right)
    if found is None:
        return _by_order(names, left, right)
    _tell_alone(names, (left, right), found)
    return found


def _by_time(
    names: tuple[str, str], left: list[Path], right: list[Path], max_skew_ms: float | None
) -> list[Pair] | None:
    """None where names are no times; without ``max_skew_ms`` the tolerance is below half of the time between frames."""
    left_ns, right_ns = times_ns(left), times_ns(right)
    if left_ns is None or right_ns is None:
        return None
    most_ns = round(1e6 * (MAX_SKEW_MS if max_skew_ms is None else max_skew_ms))
    if max_skew_ms is None:
        most_ns = min(most_ns, (min(period_ns(left_ns), period_ns(right_ns)) - 1) // 2)
    found = sorted(nearest_in_time(left_ns, right_ns, most_ns), key=lambda pair: left_ns[pair[0]])
    if not found:
        raise CameraError(
            f"no image of {names[0]} was taken within {most_ns / 1e6:.3g} ms of one of {names[1]}, by their names: "
            "is it one recording? Allow more with ?max_skew_ms=",
            exit_code=os.EX_DATAERR,
        )
    return [(left[a], right[b]) for a, b in found]


def _by_key(left: list[Path], right: list[Path]) -> list[Pair] | None:
    """By the whole name without the side's mark, else by all numbers in it; None where both sides share nothing."""
    folders = len({path.parent for path in left}), len({path.parent for path in right})
    root = Path(os.path.commonpath([path.parent.absolute() for path in (*left, *right)]))
    within = max(folders) > 1
    readings: list[Callable[[Path], Key]] = [
        lambda path: _name_key(path, root, within),
        lambda path: (*_name_key(path, root, within), *natural_key(path.suffix.lower())),
        lambda path: natural_key(path.name),
    ]
    for key in readings:
        keys = [key(path) for path in left], [key(path) for path in right]
        if all(len(set(side)) == len(side) for side in keys) and set(keys[0]) & set(keys[1]):
            return _equal(left, right, *keys)
    numbers = _number_keys(left, right)
    return None if numbers is None else _equal(left, right, *numbers)


def _name_key(path: Path, root: Path, within: bool) -> Key:
    parts = [*path.parent.absolute().relative_to(root).parts, path.stem] if within else [path.stem]
    return natural_key("/".join(filter(None, map(unmarked, parts))))


def _equal(left: list[Path], right: list[Path], left_keys: list[Key], right_keys: list[Key]) -> list[Pair]:
    partners = dict(zip(right_keys, right, strict=True))
    return [(path, partners[key]) for path, key in zip(left, left_keys, strict=True) if key in partners]


def _number_keys(left: list[Path], right: list[Path]) -> tuple[list[Key], list[Key]] | None:
    """All numbers of a name, less one that tells the cameras apart; None unless they tell the images apart."""
    rows = [[tuple(map(int, re.findall(r"\d+", path.stem))) for path in side] for side in (left, right)]
    if len({len(row) for side in rows for row in side}) != 1 or not rows[0][0] or min(len(left), len(right)) < 2:
        return None
    columns = [[set(column) for column in zip(*side, strict=True)] for side in rows]
    kept = [at for at, (a, b) in enumerate(zip(*columns, strict=True)) if a == b or len(a) + len(b) > 2]
    keys = [[tuple((row[at], "") for at in kept) for row in side] for side in rows]
    unique = all(len(set(side)) == len(side) for side in keys)
    return (keys[0], keys[1]) if unique and len(kept) >= len(columns[0]) - 1 and set(keys[0]) & set(keys[1]) else None


def _by_order(names: tuple[str, str], left: list[Path], right: list[Path]) -> list[Pair]:
    if len(left) != len(right):
        raise CameraError(f"{_counts(names, (left, right))}: they cannot be paired", exit_code=os.EX_DATAERR)
    logger.warning(
        "{} and {} share neither names nor times: paired by order, {} with {} and so on; a frame that one side lacks "
        "would shift all after it",
        *names,
        left[0].name,
        right[0].name,
    )
    return list(zip(left, right, strict=True))


def _tell_alone(names: tuple[str, str], sides: Sides, pairs: list[Pair]) -> None:
    """Warn of images without a partner; raises CameraError where they are too many."""
    paired = {path for pair in pairs for path in pair}
    alone = sorted((path for side in sides for path in side if path not in paired), key=lambda path: path.stem)
    if not alone:
        return
    if len(pairs) <= LEAST_SHARE * max(map(len, sides)):
        raise CameraError(f"{_words(alone, names)} ({_counts(names, sides)})", exit_code=os.EX_DATAERR)
    logger.warning("{}: left out, {} pairs remain", _words(alone, names), len(pairs))


def _words(alone: Sequence[Path], names: tuple[str, str]) -> str:
    first, *others = (str(Path(path.parent.name) / path.name) for path in alone)
    places = names[0] if names[0] == names[1] else f"{names[0]} and {names[1]}"
    words = f"{first} has no partner for the other eye in {places}"
    if others:
        words += f", nor have {first_few(others, MOST_NAMED)}"
    return words


def first_few(names: Sequence[str], most: int) -> str:
    """Such as "a, b and 3 more"."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _counts(names: tuple[str, str], sides: Sides) -> str:
    return f"{names[0]} holds {len(sides[0])} images and {names[1]} {len(sides[1])}"
