"""Views from pairs of image files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.file_pairs import Pair, find_pairs
from roma_device.app.cameras.images import read_image, to_8_bit
from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.boards.board import Board
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.guided.coverage import look_at_board, spread_choice
from roma_device.calibration.guided.detection_gate import diagnosis, see_pair
from roma_device.calibration.size import Size
from roma_device.calibration.solver.observations import PairView

MOST_VIEWS = 60
"""More views hardly add to the solution and make it slow: those that differ most are taken."""

Progress = Callable[[int, int, str], None]
"""Called with number, total and what became of each pair."""


@dataclass(slots=True)
class Sightings:
    """What a set of pairs shows."""

    size: Size
    views: list[PairView] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # name -> why
    skipped: list[str] = field(default_factory=list)  # names of good views beyond MOST_VIEWS


def sightings_in(folder: str, board: Board, swap: bool = False, progress: Progress | None = None) -> Sightings:
    """Look for the board in all pairs of ``folder``; raises CameraError or CalibrationError with one sentence.

    ``folder`` is anything that the images camera takes. ``swap`` exchanges left and right.
    """
    pairs = find_pairs(folder)
    sightings, first = None, pairs[0]
    for number, (pair, left, right) in enumerate(_read(pairs), start=1):
        if swap:
            left, right = right, left
        size = Size.of(left)
        sightings = sightings or Sightings(size)
        if size != sightings.size:
            raise CalibrationError(
                f"{pair[0]} is {by_size(size)}, but {first[0]} is {by_size(sightings.size)}: one rig, one size"
            )
        outcome = see_pair(board, pair[0].name, left, right)
        if isinstance(outcome, PairView):
            sightings.views.append(outcome)
        else:
            sightings.refused[pair[0].name] = outcome
        if progress is not None:
            progress(number, len(pairs), "found" if isinstance(outcome, PairView) else outcome)
    if sightings is None or not sightings.views:
        raise _nothing(folder, pairs, board, {} if sightings is None else sightings.refused)
    _subsample(sightings, board)
    return sightings


def _read(pairs: list[Pair]) -> Iterator[tuple[Pair, GreyImage, GreyImage]]:
    for pair in pairs:
        left, right = (grey_file(path) for path in pair)
        if left.shape != right.shape:
            sizes = f"{pair[0]} is {by_size(left.shape[::-1])}, {pair[1]} is {by_size(right.shape[::-1])}"
            raise CameraError(f"left and right differ in size: {sizes}", exit_code=os.EX_DATAERR)
        yield pair, left, right


def grey_file(path: Path) -> GreyImage:
    """An image file as (H, W) uint8; brightness is stretched where it has 16 bits."""
    image = read_image(path)
    if image.dtype != np.uint8:
        image = to_8_bit(image, max(8, int(image.max()).bit_length()))
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def by_size(size: tuple[int, ...]) -> str:
    """In words."""
    return f"{size[0]}x{size[1]} px"


def _nothing(folder: str, pairs: list[Pair], board: Board, refused: dict[str, str]) -> CalibrationError:
    """One sentence for a set in which no pair can be used: the most common reason, and what the detector thinks."""
    reason, count = Counter(refused.values()).most_common(1)[0]
    tried = pairs[:: max(1, len(pairs) // 3)] if reason.startswith("no ") else []
    hint = next((found for pair in tried if (found := diagnosis(board, grey_file(pair[0])))), "")
    return CalibrationError(
        f"none of the {len(pairs)} pairs in {folder} can be used; of {count} of them, {reason}{hint}"
    )


def _subsample(sightings: Sightings, board: Board) -> None:
    views = sightings.views
    if len(views) <= MOST_VIEWS:
        return
    looks = [look_at_board(board, view.left, sightings.size) for view in views]
    chosen = set(spread_choice(looks, MOST_VIEWS))
    sightings.skipped = [view.name for index, view in enumerate(views) if index not in chosen]
    sightings.views = [view for index, view in enumerate(views) if index in chosen]
