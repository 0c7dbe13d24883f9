"""Observations of the solver: the corners of one board in many images or pairs of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.boards.board import Board, Detection

LEAST_CORNERS = 6
"""A view with fewer corners of one camera says nothing: its pose alone takes six numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class PairView:
    """Observation of the board by both cameras in one pair of images."""

    name: str
    left: Detection
    right: Detection

    SIDES: ClassVar = ("left", "right")

    def sides(self) -> tuple[Detection, Detection]:
        return self.left, self.right

    def with_sides(self, left: Detection, right: Detection) -> PairView:
        return PairView(self.name, left, right)

    def common(self) -> tuple[FloatArray, FloatArray]:
        """Pixels (N, 2) of the corners that both cameras see."""
        _, left, right = np.intersect1d(self.left.ids, self.right.ids, assume_unique=True, return_indices=True)
        return self.left.pixels[left], self.right.pixels[right]


@dataclass(frozen=True, slots=True, eq=False)
class SoloView:
    """Observation of the board by a single camera in one image."""

    name: str
    seen: Detection

    SIDES: ClassVar = ("",)

    def sides(self) -> tuple[Detection]:
        return (self.seen,)

    def with_sides(self, seen: Detection) -> SoloView:
        return SoloView(self.name, seen)


View = TypeVar("View", PairView, SoloView)


def pair_view(name: str, board: Board, left: Detection, right: Detection) -> PairView:
    """Observation whose corners have one order: of a board that looks the same upside down, the right one is turned."""
    if board.is_symmetric and _spread_px(left, _upside_down(board, right)) < _spread_px(left, right):
        right = _upside_down(board, right)
    return PairView(name, left, right)


def _upside_down(board: Board, detection: Detection) -> Detection:
    last = len(board.points_m) - 1
    order = np.argsort(last - detection.ids)
    return replace(detection, ids=(last - detection.ids)[order], pixels=detection.pixels[order])


def _spread_px(left: Detection, right: Detection) -> float:
    """How differently the corners have moved from left to right: small where the order is the same."""
    common_left, common_right = PairView("", left, right).common()
    moved = common_right - common_left
    return float(np.linalg.norm(moved - moved.mean(axis=0), axis=1).mean()) if len(moved) else float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class Corners:
    """Observed corners of one camera, those of all views in a row."""

    view: np.ndarray[tuple[int], np.dtype[np.intp]]  # (N,) index of the view
    ids: np.ndarray[tuple[int], np.dtype[np.intp]]  # (N,) row of the board's points
    points_m: FloatArray  # (N, 3) in the board's frame
    pixels: FloatArray  # (N, 2)

    @classmethod
    def of(cls, detections: Sequence[Detection], points_m: FloatArray) -> Corners:
        counts = [len(detection.ids) for detection in detections]
        ids = np.concatenate([detection.ids for detection in detections])
        pixels = np.concatenate([detection.pixels for detection in detections])
        return cls(np.repeat(np.arange(len(counts)), counts), ids, points_m[ids], pixels)


def corners_of(views: Sequence[PairView] | Sequence[SoloView], points_m: FloatArray) -> tuple[Corners, ...]:
    """The observed corners of each camera."""
    return tuple(Corners.of([view.sides()[side] for view in views], points_m) for side in range(len(views[0].sides())))
