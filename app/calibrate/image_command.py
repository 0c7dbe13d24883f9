"""``roma-device calibrate --images``."""

from __future__ import annotations

from roma_device.app.cameras.file_pairs import find_pairs
from roma_device.calibration.boards import parse_board

from .finish import FinishChoice, finish
from .from_images import grey_file, sightings_in
from .interruption import told_when_interrupted
from .progress import progress_shown


def calibrate_images(folder: str, board_text: str, swap: bool, choice: FinishChoice) -> int:
    """Calibrate from the pairs in ``folder``; returns the exit code."""
    board = parse_board(board_text)
    choice.check()
    with told_when_interrupted():
        sightings = sightings_in(folder, board, swap, progress_shown)
    example = None
    if choice.report is not None:
        used = {view.name for view in sightings.views}
        pair = next(pair for pair in find_pairs(folder) if pair[0].name in used)
        left, right = (grey_file(path) for path in (reversed(pair) if swap else pair))
        example = left, right
    return finish(sightings, board, choice, example)
