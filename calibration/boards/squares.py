"""Grid of black squares that stand apart, detected by their outlines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from roma_device.calibration.arrays import FloatArray, GreyImage

from .board import Artwork, Detection, rectangle
from .quad_grid import QuadGrid, largest_grid
from .quads import BLOCKS_PER_IMAGE, dark_quads, refined_quads

LEAST_SHARE = 0.75
"""Squares that have to be found; a few may be hidden."""

RATIO_TOLERANCE = 0.06
LEAST_NAMED = 6
TRIED_GAPS = (0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Gaps over sides with which a grid is looked for that is not as stated."""


@dataclass(frozen=True)
class SquareGrid:
    """``columns`` x ``rows`` black squares with sides of ``square_m`` and white gaps of ``gap_m`` between them.

    Its corners are those of the squares, so there are twice as many columns and rows of them.
    """

    columns: int
    rows: int
    square_m: float
    gap_m: float
    is_symmetric: ClassVar = True

    @property
    def spec(self) -> str:
        return f"squares:{self.columns}x{self.rows}:{self.square_m * 1000:g}mm:{self.gap_m * 1000:g}mm"

    @cached_property
    def points_m(self) -> FloatArray:
        """Row by row over all corners: upside down, they come in the reverse order."""
        x, y = (self._places(count) for count in (self.columns, self.rows))
        return np.column_stack([np.tile(x, len(y)), np.repeat(y, len(x)), np.zeros(len(x) * len(y))])

    def _places(self, count: int) -> FloatArray:
        starts = np.arange(count) * (self.square_m + self.gap_m)
        return np.column_stack([starts, starts + self.square_m]).ravel()

    def detect(self, grey: GreyImage) -> Detection | None:
        """The grid with exactly these columns and rows and this gap; a quarter of the squares may be hidden."""
        best: QuadGrid | None = None
        for blocks in BLOCKS_PER_IMAGE:
            grid = self._fitting(largest_grid(dark_quads(grey, blocks), 1 + self.gap_m / self.square_m))
            if grid is not None and (best is None or len(grid) > len(best)):
                best = grid
            if best is not None and len(best) == self.columns * self.rows:
                break
        if best is None:
            return None
        clean = _refined(grey, best)
        return self._detection(clean) if len(clean) >= self._least and self._has_our_gap(clean) else None

    def _has_our_gap(self, grid: QuadGrid) -> bool:
        pitch_per_side = (1 + grid.gap_per_side()) * self.square_m / (self.square_m + self.gap_m)
        return abs(pitch_per_side - 1) < RATIO_TOLERANCE

    @property
    def _least(self) -> float:
        return LEAST_SHARE * self.columns * self.rows

    def _fitting(self, grid: QuadGrid) -> QuadGrid | None:
        """The grid as one looks at the board, upright."""
        if grid.size == (self.rows, self.columns) != (self.columns, self.rows):
            grid = grid.turned()
        if grid.size != (self.columns, self.rows) or len(grid) < self._least:
            return None
        middle = grid.quads.mean(axis=1)
        along = middle - middle.mean(axis=0)
        is_upright = float((along.sum(axis=1) * (grid.cells - grid.cells.mean(axis=0)).sum(axis=1)).sum()) >= 0
        return grid if is_upright else grid.turned().turned()

    def _detection(self, grid: QuadGrid) -> Detection:
        """Corners of the squares, in the order of ``points_m``."""
        places = 2 * grid.cells[:, None] + np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        ids = (places[..., 1] * 2 * self.columns + places[..., 0]).ravel()
        order = np.argsort(ids)
        return Detection(ids[order], grid.quads.reshape(-1, 2)[order])

    def diagnose(self, grey: GreyImage) -> str:
        """Another number of squares, or another gap."""
        stated = self.gap_m / self.square_m
        grid = max((grid for gap in (stated, *TRIED_GAPS) for grid in self._grids(grey, gap)), key=QuadGrid.__len__)
        columns, rows = max(grid.size), min(grid.size)
        if len(grid) < LEAST_NAMED or rows < 2:
            return ""
        if {columns, rows} != {self.columns, self.rows}:
            return f"there is a grid of {columns}x{rows} black squares in it"
        if self._has_our_gap(grid):
            return ""
        grid = _refined(grey, grid)
        return f"the gaps between its squares are {grid.gap_per_side():.2f} times their side, stated is {stated:.2f}"

    def _grids(self, grey: GreyImage, gap_per_side: float) -> list[QuadGrid]:
        return [largest_grid(dark_quads(grey, blocks), 1 + gap_per_side) for blocks in BLOCKS_PER_IMAGE]

    def artwork(self) -> Artwork:
        """A margin as wide as a gap, half a square at least."""
        margin = max(self.gap_m, self.square_m / 2)
        across, down = (self._places(count) for count in (self.columns, self.rows))
        side = self.square_m
        shapes = [rectangle(margin + x, margin + y, side, side) for y in down[::2] for x in across[::2]]
        return Artwork((across[-1] + 2 * margin, down[-1] + 2 * margin), (margin, margin), tuple(shapes))


def _refined(grey: GreyImage, grid: QuadGrid) -> QuadGrid:
    """The squares whose sides can be seen clearly, with corners to a fraction of a pixel."""
    quads = refined_quads(grey, grid.quads)
    clear = np.isfinite(quads).all(axis=(1, 2))
    return QuadGrid(grid.cells[clear], quads[clear])
