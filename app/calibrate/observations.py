"""Board detection in image files: views of a rig from pairs, views of one camera from single images."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import cv2
import numpy as np

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.file_pairs import find_images, find_pairs
from roma_device.app.cameras.images import read_image, to_8_bit
from roma_device.calibration.arrays import GreyImage, Size
from roma_device.calibration.boards.board import Board
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.guided.coverage import look_at_board, spread_choice
from roma_device.calibration.guided.detection_gate import diagnosis, see_one, see_pair
from roma_device.calibration.solver.observations import PairView, SoloView, View

from .console import progress_shown

MOST_VIEWS = 60
"""More views hardly add to the solution and make it slow: those that differ most are taken."""

Files = tuple[Path, ...]
"""Of one view: left and right, or a single camera's image."""


@dataclass(slots=True)
class Observations(Generic[View]):
    """What a set of pairs, or of one camera's images, shows."""

    size: Size
    views: list[View] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # name -> why
    skipped: list[str] = field(default_factory=list)  # names of good views beyond MOST_VIEWS
    what: str = "pair"  # or "image"
    files: dict[str, Files] = field(default_factory=dict)  # name -> where it was read from


def pair_observations(folder: str, board: Board, swap: bool = False) -> Observations[PairView]:
    """Look for the board in all pairs of ``folder``; raises CameraError or CalibrationError with one sentence.

    ``folder`` is anything that the images camera takes. ``swap`` exchanges left and right.
    """

    def see(board: Board, name: str, left: GreyImage, right: GreyImage) -> PairView | str:
        return see_pair(board, name, right, left) if swap else see_pair(board, name, left, right)

    return _observations(folder, find_pairs(folder), board, see, "pair")


def image_observations(folder: str, board: Board) -> Observations[SoloView]:
    """The same in all images of a single camera."""
    return _observations(folder, [(path,) for path in find_images(folder)], board, see_one, "image")


def _observations(
    folder: str, files: Sequence[Files], board: Board, see: Callable[..., View | str], what: str
) -> Observations[View]:
    first = files[0][0]
    seen: Observations[View] = Observations(Size.of(grey_file(first)), what=what)
    for number, paths in enumerate(files, start=1):
        images, name = _read(paths), paths[0].name
        if (size := Size.of(images[0])) != seen.size:
            subject = "rig" if what == "pair" else "camera"
            raise CalibrationError(f"{paths[0]} is {size} px, but {first} is {seen.size} px: one {subject}, one size")
        seen.files[name] = paths
        outcome = see(board, name, *images)
        if isinstance(outcome, str):
            seen.refused[name] = outcome
        else:
            seen.views.append(outcome)
        progress_shown(number, len(files), outcome if isinstance(outcome, str) else "found")
    if not seen.views:
        raise _nothing(folder, seen, board)
    _subsample(seen, board)
    return seen


def _read(paths: Files) -> list[GreyImage]:
    images = [grey_file(path) for path in paths]
    if len({image.shape for image in images}) > 1:
        sizes = ", ".join(f"{path} is {Size.of(image)} px" for path, image in zip(paths, images, strict=True))
        raise CameraError(f"left and right differ in size: {sizes}", exit_code=os.EX_DATAERR)
    return images


def grey_file(path: Path) -> GreyImage:
    """An image file as (H, W) uint8; brightness is stretched where it has 16 bits."""
    image = read_image(path)
    if image.dtype != np.uint8:
        image = to_8_bit(image, max(8, int(image.max()).bit_length()))
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def _nothing(folder: str, seen: Observations[Any], board: Board) -> CalibrationError:
    """One sentence for a set in which nothing can be used: the most common reason, and what the detector thinks."""
    reason, count = Counter(seen.refused.values()).most_common(1)[0]
    files = list(seen.files.values())
    tried = files[:: max(1, len(files) // 3)] if reason.startswith("no ") else []
    hint = next((found for paths in tried if (found := diagnosis(board, grey_file(paths[0])))), "")
    unusable = f"none of the {len(files)} {seen.what}s in {folder} can be used"
    return CalibrationError(f"{unusable}; of {count} of them: {reason}{hint}")


def _subsample(seen: Observations[View], board: Board) -> None:
    views = seen.views
    if len(views) <= MOST_VIEWS:
        return
    looks = [look_at_board(board, view.sides()[0], seen.size) for view in views]
    chosen = set(spread_choice(looks, MOST_VIEWS))
    seen.skipped = [view.name for index, view in enumerate(views) if index not in chosen]
    seen.views = [view for index, view in enumerate(views) if index in chosen]
