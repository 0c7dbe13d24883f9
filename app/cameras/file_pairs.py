"""Stereo pairs of image files by their names: which left image belongs to which right one."""

from __future__ import annotations

import os
from glob import has_magic
from pathlib import Path

from . import CameraError
from .pair_names import CONVENTIONS, DATA, natural_key, side_folders
from .pairing import Pair, pair_files

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"})


def split_pair(argument: str) -> tuple[str, str] | None:
    """The two halves of ``LEFT,RIGHT``, or None where there is no comma.

    Among several commas, that one counts which leaves something that exists on both of its sides.
    """
    halves = [(argument[:at], argument[at + 1 :]) for at, letter in enumerate(argument) if letter == ","]
    for left, right in halves:
        if _exists(left) and _exists(right):
            return left, right
    return halves[0] if halves else None


def find_pairs(argument: str, max_skew_ms: float | None = None) -> list[Pair]:
    """Pairs for ``LEFT,RIGHT`` (files, folders or patterns) or for one folder; raises CameraError.

    ``max_skew_ms``: how far apart in time two images may be, where their names are times.
    """
    if Path(argument).is_dir():
        return _pairs_in(Path(argument), max_skew_ms)
    halves = split_pair(argument)
    if halves is None:
        raise _missing(f"{argument or 'nothing'} is no folder: images need LEFT,RIGHT or a folder with both")
    left, right = (_images(half) for half in halves)
    return pair_files(halves, left, right, max_skew_ms)


def find_images(argument: str) -> list[Path]:
    """The images of a single camera: of a folder or a pattern, in order; raises CameraError, for those of two too."""
    folder = Path(argument)
    inside = [folder / side for side in ("left", "right") if (folder / side).is_dir()]
    if inside or (folder.is_dir() and (inside := list(side_folders(folder) or ()))):
        raise _missing(f"{argument} holds pairs: name one camera's folder, such as {inside[0]}")
    found = _images(argument)
    if sides_of := _sides(found):
        left, right = (files[0] for files in sides_of)
        raise _missing(
            f"{argument} holds images of two cameras, such as {left.name} and {right.name}: name those of one, by a "
            "pattern in quotes or a folder of their own"
        )
    return found


def _exists(name: str) -> bool:
    return bool(name) and (Path(name).exists() or bool(_matching(name)))


def _images(name: str) -> list[Path]:
    """The image that a name stands for, or all images of a folder or pattern, in order."""
    path = Path(name)
    if path.is_dir():
        found = next(filter(None, map(_files_in, (path, *(path / name for name in DATA)))), [])
    elif path.exists():
        return [path]
    elif has_magic(name):
        found = _matching(name)
    else:
        raise _missing(f"{name or 'an image without a name'} does not exist")
    if not found:
        raise _missing(f"{name} holds no images")
    return sorted(found, key=lambda file: natural_key(str(file)))


def _files_in(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if _is_image(file)] if folder.is_dir() else []


def _matching(name: str) -> list[Path]:
    """Files that a pattern stands for, none where the name is no pattern."""
    path = Path(name)
    root = Path(path.anchor or ".")
    return [file for file in root.glob(str(path.relative_to(path.anchor))) if file.is_file()] if has_magic(name) else []


def _is_image(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _pairs_in(folder: Path, max_skew_ms: float | None) -> list[Pair]:
    """Pairs in one folder: from both cameras' subfolders, by the names of its files, or of those in its subfolders."""
    if (sides := side_folders(folder)) is not None:
        left, right = sides
        return pair_files((str(left), str(right)), _images(str(left)), _images(str(right)), max_skew_ms)
    if found := _by_convention(folder, max_skew_ms):
        return found
    scenes = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: natural_key(path.name))
    if found := [pair for scene in scenes for pair in _by_convention(scene, max_skew_ms)]:
        return found
    raise _missing(
        f"{folder} holds no stereo pairs: neither left/ and right/, image_2/ and image_3/, cam0/ and cam1/ or the "
        "like, nor images named left* and right*, *_left and *_right, L_* and R_*, or im0 and im1"
    )


def _by_convention(folder: Path, max_skew_ms: float | None) -> list[Pair]:
    """Pairs of images in one folder by the first convention of which both sides are there; none where there is none."""
    sides = _sides(sorted(_files_in(folder), key=lambda file: natural_key(file.name)))
    return pair_files((str(folder), str(folder)), *sides, max_skew_ms) if sides else []


def _sides(files: list[Path]) -> tuple[list[Path], list[Path]] | None:
    """The left and the right camera's of ``files`` by the first convention that fits, None where there is none."""
    stems = [file.stem for file in files]
    convention = next((convention for convention in CONVENTIONS if convention.fits(stems)), None)
    if convention is None:
        return None
    sides: dict[str, list[Path]] = {"left": [], "right": []}
    for file in files:
        if (found := convention.split(file.stem)) is not None:
            sides[found[0]].append(file)
    return sides["left"], sides["right"]


def _missing(message: str) -> CameraError:
    return CameraError(message, exit_code=os.EX_NOINPUT)
