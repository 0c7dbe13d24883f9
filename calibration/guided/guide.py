"""Guided capture: which observations are worth keeping, coverage so far, and the next view to ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import GreyImage, Size
from roma_device.calibration.boards.board import Board, Detection
from roma_device.calibration.boards.subpixel import edge_width_px, nearest_spacing
from roma_device.calibration.solver.observations import PairView

from .coverage import COLUMNS, ROWS, Look, covered_share, distance_counts, grid_counts, look_at_board, tilt_counts
from .detection_gate import see_pair

MOST_MOTION = 0.002
"""Image widths that corners may move between two frames: more, and left and right show different moments."""

MOST_EDGE_PX = 5.5
"""Pixels from black to white: more is blur, from motion or focus."""

MOST_LEAN = 0.88
LEAST_SHARE_OF_CORNERS = 0.3
ALIKE = 0.11
GOOD_COVERAGE = 0.6
LEAST_PER_TILT = 2
LEAST_PER_DISTANCE = 3
PATIENCE = 1.5
"""At this many times the wanted pairs the capture ends, whatever is still missing."""

_SIDES = {
    "right away": "turn the board so that its right side is farther away",
    "left away": "turn the board so that its left side is farther away",
    "bottom away": "tip the board so that its lower side is farther away",
    "top away": "tip the board so that its upper side is farther away",
    "straight": "hold the board straight towards the cameras",
}
_DISTANCES = {"near": "come nearer with the board", "middle": "go to a middle distance", "far": "go farther away"}


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Verdict on one captured pair."""

    view: PairView | None  # None: the board was not found in both images
    look: Look | None
    reason: str  # why it was not taken; "" where it was

    @property
    def accepted(self) -> bool:
        return not self.reason


class CaptureGuide:
    """Guide of a capture: it judges pairs one after the other and counts the views that were taken."""

    def __init__(self, board: Board, size: Size, wanted: int, max_skew_ns: float = 5e6) -> None:
        """``size`` is (width, height) in px, ``wanted`` the number of pairs to take."""
        self.board, self.size, self.wanted = board, size, wanted
        self.views: list[PairView] = []
        self.looks: list[Look] = []
        self._max_skew_ns = max_skew_ns
        self._before: Detection | None = None

    def judge(self, name: str, left: GreyImage, right: GreyImage, skew_ns: float = 0.0) -> Judgement:
        """Is this pair worth keeping? Asks that the board held still since the pair before. Keeps nothing."""
        before, self._before = self._before, None
        outcome = see_pair(self.board, name, left, right)
        if isinstance(outcome, str):
            return Judgement(None, None, outcome)
        self._before = outcome.left
        look = look_at_board(self.board, outcome.left, self.size)
        reason = (
            self._time_reason(skew_ns)
            or self._pose_reason(outcome, look)
            or self._blur_reason(outcome, left, right)
            or self._motion_reason(before, outcome.left)
            or self._likeness_reason(look)
        )
        return Judgement(outcome, look, reason)

    def add(self, view: PairView) -> None:
        """Count a view that was taken (or taken up again)."""
        look = look_at_board(self.board, view.left, self.size)
        if look is not None:
            self.views.append(view)
            self.looks.append(look)

    def undo(self) -> None:
        """Forget the view that was taken last."""
        self.views.pop()
        self.looks.pop()

    def coverage(self) -> tuple[float, float]:
        """Share of the cells of the left and the right image that a corner was seen in."""
        left, right = (covered_share(self.grid(side)) for side in range(2))
        return left, right

    def grid(self, side: int) -> np.ndarray[tuple[int, int], np.dtype[np.intp]]:
        """(ROWS, COLUMNS): views with a corner in each cell of the left (0) or right (1) image."""
        return grid_counts([view.sides()[side] for view in self.views], self.size)

    @property
    def is_complete(self) -> bool:
        """Enough pairs, and nothing missing any more, or hope is given up for what is."""
        count = len(self.views)
        return count >= self.most or (count >= self.wanted and not self._missing())

    @property
    def most(self) -> int:
        """Pairs at which the capture ends, whatever is still missing."""
        return math.ceil(PATIENCE * self.wanted)

    def advice(self) -> str:
        """The view that would help most now."""
        missing = self._missing()
        return (
            missing[len(self.views) % len(missing)] if missing else "any view that is new: other place, tilt, distance"
        )

    def _missing(self) -> list[str]:
        tilts, distances = tilt_counts(self.looks), distance_counts(self.looks)
        texts = [_SIDES[name] for name, count in tilts.items() if count < LEAST_PER_TILT]
        texts += [_DISTANCES[name] for name, count in distances.items() if count < LEAST_PER_DISTANCE]
        for side, share in enumerate(self.coverage()):
            if share < GOOD_COVERAGE:
                place = _emptiest(self.grid(side))
                texts.insert(0, f"hold the board into the {place} of the {('left', 'right')[side]} image")
        return texts

    def _time_reason(self, skew_ns: float) -> str:
        if abs(skew_ns) <= self._max_skew_ns:
            return ""
        return f"left and right are {abs(skew_ns) / 1e6:.1f} ms apart: the cameras are out of step"

    def _pose_reason(self, view: PairView, look: Look | None) -> str:
        if look is None or max(abs(look.lean_x), abs(look.lean_y)) > MOST_LEAN:
            return "the board is too oblique: turn it more towards the cameras"
        fewest = min(len(side.ids) for side in view.sides()) / len(self.board.points_m)
        return "too much of the board is cut off or hidden" if fewest < LEAST_SHARE_OF_CORNERS else ""

    def _blur_reason(self, view: PairView, left: GreyImage, right: GreyImage) -> str:
        for name, image, side in (("left", left, view.left), ("right", right, view.right)):
            if edge_width_px(image, side.pixels, nearest_spacing(side.pixels)) > MOST_EDGE_PX:
                return f"the {name} image is blurred: hold still, give light, check the focus"
        return ""

    def _motion_reason(self, before: Detection | None, now: Detection) -> str:
        if before is None:
            return "hold the board still for a moment"
        shared_before, shared_now = PairView("", before, now).common()
        if not len(shared_now):
            return "hold the board still for a moment"
        moved_px = float(np.median(np.linalg.norm(shared_now - shared_before, axis=1)))
        return f"the board moves ({moved_px:.1f} px): hold it still" if moved_px > MOST_MOTION * self.size[0] else ""

    def _likeness_reason(self, look: Look | None) -> str:
        if look is None or all(look.difference(earlier) > ALIKE for earlier in self.looks):
            return ""
        return "too much like a view that was taken already: move on"


def _emptiest(counts: np.ndarray[tuple[int, int], np.dtype[np.intp]]) -> str:
    """The part of the image (in thirds) with the fewest cells seen, corners first."""
    names: Sequence[str] = (
        "upper left",
        "top",
        "upper right",
        "left",
        "middle",
        "right",
        "lower left",
        "bottom",
        "lower right",
    )
    rows, columns = np.arange(ROWS) * 3 // ROWS, np.arange(COLUMNS) * 3 // COLUMNS
    shares = [
        float((counts[np.ix_(rows == row, columns == column)] > 0).mean()) for row in range(3) for column in range(3)
    ]
    return names[int(np.argmin(shares))]
