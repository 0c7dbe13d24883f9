"""Interface of calibration boards: corner detection, object points, artwork."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from roma_device.calibration.arrays import FloatArray, GreyImage, IntArray, Mask

from .artwork import Artwork


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Board detection: the corners that were found in one image."""

    ids: IntArray  # (N,) rows of the board's points_m, no two the same
    pixels: FloatArray  # (N, 2) x, y with pixel centres at integers
    note: str = ""  # what the detector found out, such as the layout of a ChArUco board

    def keep(self, mask: Mask) -> Detection:
        """The corners where ``mask`` (N,) is true."""
        return Detection(self.ids[mask], self.pixels[mask], self.note)


class Board(Protocol):
    """Flat calibration board; x runs right and y down for who looks at it, z away from them."""

    @property
    def spec(self) -> str:
        """The text that ``parse_board`` makes this board of."""

    @property
    def points_m(self) -> FloatArray:
        """Object points: all corners (N, 3) in the board's frame, z = 0."""

    @property
    def outline(self) -> IntArray:
        """Rows of ``points_m`` at the four outermost corners: upper left, upper right, lower right, lower left."""

    @property
    def is_symmetric(self) -> bool:
        """It looks the same upside down, so that left and right have to be brought into one order."""

    def detect(self, grey: GreyImage) -> Detection | None:
        """Corners in an image (H, W) to a fraction of a pixel, None where the board is not found."""

    def diagnose(self, grey: GreyImage) -> str:
        """What may be wrong with an image in which ``detect`` found nothing: a clause, or ""."""

    def artwork(self) -> Artwork:
        """What is printed."""


def grid_points(columns: int, rows: int, pitch_m: float) -> FloatArray:
    """(columns * rows, 3) points of a square grid, row by row."""
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    return np.column_stack([x.ravel() * pitch_m, y.ravel() * pitch_m, np.zeros(rows * columns)])


def grid_outline(columns: int, rows: int) -> IntArray:
    """The four outer corners of such a grid."""
    last = columns * rows - 1
    return np.array([0, columns - 1, last, last - columns + 1], dtype=np.intp)


def turned_half(columns: int, rows: int) -> IntArray:
    """The order of such a grid's points for who holds the board upside down."""
    return np.arange(columns * rows, dtype=np.intp)[::-1]
