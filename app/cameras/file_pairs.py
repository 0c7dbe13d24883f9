"""Stereo pairs of image files by their names: which left image belongs to which right one."""

from __future__ import annotations

import os
import re
from glob import has_magic
from pathlib import Path

from . import CameraError

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"})
SIDE = re.compile(r"^(?P<start>left|right|im0$|im1$)|(?P<end>_left|_right)$", re.IGNORECASE)
"""What marks a side in a file's stem: left0001, right-a, im0 and im1, scene_left."""

LEFT_MARKS = frozenset({"left", "_left", "im0"})

Pair = tuple[Path, Path]
Key = tuple[tuple[int, str], ...]


def split_pair(argument: str) -> tuple[str, str] | None:
    """The two halves of ``LEFT,RIGHT``, or None where there is no comma.

    Among several commas, that one counts which leaves something that exists on both of its sides.
    """
    halves = [(argument[:at], argument[at + 1 :]) for at, letter in enumerate(argument) if letter == ","]
    for left, right in halves:
        if _exists(left) and _exists(right):
            return left, right
    return halves[0] if halves else None


def find_pairs(argument: str) -> list[Pair]:
    """Pairs for ``LEFT,RIGHT`` (files, folders or patterns) or for one folder; raises CameraError."""
    if Path(argument).is_dir():
        return _pairs_in(Path(argument))
    halves = split_pair(argument)
    if halves is None:
        raise _missing(f"{argument or 'nothing'} is no folder: images need LEFT,RIGHT or a folder with both")
    left, right = (_images(half) for half in halves)
    return _in_order(halves, left, right)


def find_images(argument: str) -> list[Path]:
    """The images of a single camera: of a folder or a pattern, in order; raises CameraError."""
    if any((Path(argument) / side).is_dir() for side in ("left", "right")):
        raise _missing(f"{argument} holds pairs: name one camera's folder, such as {Path(argument) / 'left'}")
    return _images(argument)


def _exists(name: str) -> bool:
    return bool(name) and (Path(name).exists() or bool(_matching(name)))


def _images(name: str) -> list[Path]:
    """The image that a name stands for, or all images of a folder or pattern, in order."""
    path = Path(name)
    if path.is_dir():
        found = [file for file in path.iterdir() if _is_image(file)]
    elif path.exists():
        return [path]
    elif has_magic(name):
        found = _matching(name)
    else:
        raise _missing(f"{name or 'an image without a name'} does not exist")
    if not found:
        raise _missing(f"{name} holds no images")
    return sorted(found, key=lambda file: natural_key(str(file)))


def _matching(name: str) -> list[Path]:
    """Files that a pattern stands for, none where the name is no pattern."""
    path = Path(name)
    root = Path(path.anchor or ".")
    return [file for file in root.glob(str(path.relative_to(path.anchor))) if file.is_file()] if has_magic(name) else []


def _is_image(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def natural_key(text: str) -> Key:
    """Sorts image2 before image10."""
    parts = re.split(r"(\d+)", text)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts if part)


def _in_order(names: tuple[str, str], left: list[Path], right: list[Path]) -> list[Pair]:
    """Pair two sorted lists; where both sides share numbers in their names, every pair has to."""
    numbers = [[_last_number(path) for path in side] for side in (left, right)]
    if set(numbers[0]) & set(numbers[1]) - {None}:
        for path, number, others in [
            *((path, number, numbers[1]) for path, number in zip(left, numbers[0], strict=True)),
            *((path, number, numbers[0]) for path, number in zip(right, numbers[1], strict=True)),
        ]:
            if number not in others:
                raise _alone(path, names)
    if len(left) != len(right):
        raise CameraError(
            f"{names[0]} holds {len(left)} images and {names[1]} {len(right)}: they cannot be paired",
            exit_code=os.EX_DATAERR,
        )
    return list(zip(left, right, strict=True))


def _last_number(path: Path) -> int | None:
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else None


def _pairs_in(folder: Path) -> list[Pair]:
    """Pairs in one folder: from its left and right subfolders, or by the names of its files."""
    left, right = folder / "left", folder / "right"
    if left.is_dir() and right.is_dir():
        return _in_order((str(left), str(right)), _images(str(left)), _images(str(right)))
    sides: tuple[dict[Key, Path], dict[Key, Path]] = ({}, {})
    for path in sorted(file for file in folder.iterdir() if _is_image(file)):
        mark = SIDE.search(path.stem)
        if mark:
            is_right = mark.group().lower() not in LEFT_MARKS
            sides[is_right][natural_key(path.stem[: mark.start()] + path.stem[mark.end() :])] = path
    if not any(sides):
        raise _missing(
            f"{folder} holds no stereo pairs: neither left/ and right/, nor images named left* and right*, "
            "*_left and *_right, or im0 and im1"
        )
    for key in sorted(sides[0].keys() ^ sides[1].keys()):
        raise _alone(sides[0].get(key) or sides[1][key], (str(folder), str(folder)))
    return [(sides[0][key], sides[1][key]) for key in sorted(sides[0])]


def _alone(path: Path, names: tuple[str, str]) -> CameraError:
    places = names[0] if names[0] == names[1] else f"{names[0]} and {names[1]}"
    return CameraError(f"{path.name} has no partner for the other eye in {places}", exit_code=os.EX_DATAERR)


def _missing(message: str) -> CameraError:
    return CameraError(message, exit_code=os.EX_NOINPUT)
