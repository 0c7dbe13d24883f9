"""Warp between two stages: the right image resampled at the matches found so far, and what they say of each cell.

As the networks were trained with it: ``model/stereo/hints.py`` is the same in torch, a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage, Mask, Size
from roma_device.runtime.tensors.cells import COLUMNS, ROWS

SAMPLE_ROW = 1
"""Row of a cell whose disparity stands for it: a mean would invent depths at edges."""
MEAN_CELLS = 31
"""Side of the window of the local mean."""
CONTEXT_PX, MOST_CONTEXT = 16.0, 4.0
"""What 1 stands for in the disparity less its local mean, and where that is cut."""
BORDER_PX = 16.0
"""Distance of a match to the left border of the right image from which on it counts as well inside."""
HIDDEN_PX = 4.0
"""How far behind a nearer surface's edge a match must lie to count as well hidden."""
FAR_AWAY_PX = 1e4
OUTSIDE_PX = -1e4
"""Where a disparity that is no number leads: the border, which cv2.remap repeats."""

INPUTS = ("left", "warped", "disparity", "hints")
"""What the graph behind it takes; ``left`` stays the same in all passes."""


class WarpRight:
    """Fills a later stage's inputs for images of one size; per frame nothing of their size is allocated."""

    def __init__(self, size: Size) -> None:
        width, height = size
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._columns, self._rows = np.ascontiguousarray(columns), np.ascontiguousarray(rows)
        self._match = np.empty((height, width), np.float32)
        self._cells = CellHints(Size(width // COLUMNS, height // ROWS))

    def __call__(
        self, right: FloatImage, disparity_px: FloatImage, certainty: FloatImage, inputs: Mapping[str, AnyArray]
    ) -> None:
        """Fill ``warped`` (1, 1, H, W), ``disparity`` (1, 2, H/4, W/2) and ``hints`` (1, 4, H/4, W/2) of ``inputs``.

        ``right`` (H, W) is the normalized image, ``disparity_px`` (H, W) what was found so far in px, ``certainty``
        (h, w) its certainty at any resolution, all float32.
        """
        np.subtract(self._columns, disparity_px, out=self._match)
        if not np.isfinite(self._match.sum()):
            self._match[~np.isfinite(self._match)] = OUTSIDE_PX
        warped = inputs["warped"][0, 0]
        cv2.remap(right, self._match, self._rows, cv2.INTER_LINEAR, dst=warped, borderMode=cv2.BORDER_REPLICATE)
        self._cells(disparity_px, certainty, inputs["disparity"][0], inputs["hints"][0])


class CellHints:
    """What the disparity found so far says of each cell; see ``model/stereo/hints.py``."""

    def __init__(self, cells: Size) -> None:
        shape = cells[::-1]
        self._size = cells
        self._columns = np.arange(0, COLUMNS * cells.width, COLUMNS, dtype=np.float32)
        self._match, self._behind, self._mean, self._near = (np.empty(shape, np.float32) for _ in range(4))
        self._is_seen, self._row = np.empty(shape, bool), np.empty(shape, bool)
        self._places, self._index = np.arange(cells.width), np.empty(shape, np.intp)

    def __call__(self, disparity_px: FloatImage, certainty: FloatImage, both: AnyArray, hints: AnyArray) -> None:
        """Fill ``both`` (2, h, w), the cells' disparity and what the row holds beside hidden ones, and ``hints``.

        These are (4, h, w): disparity less its local mean; how far inside the right image the match lies; how far it
        lies behind the edge of a nearer surface, negative where that hides it; the certainty.
        """
        cells, match, behind = both[0], self._match, self._behind
        cells[...] = disparity_px[SAMPLE_ROW::ROWS, ::COLUMNS]
        np.subtract(self._columns, cells, out=match)
        first_to_the_right(match, behind)
        np.subtract(behind, match, out=behind)
        np.greater_equal(match, 0, out=self._is_seen)
        self._is_seen &= np.greater_equal(behind, 0, out=self._row)
        self._fill(cells, both[1])
        cv2.blur(cells, (MEAN_CELLS, MEAN_CELLS), dst=self._mean, borderType=cv2.BORDER_REPLICATE)
        np.subtract(cells, self._mean, out=hints[0])
        _scaled(hints[0], CONTEXT_PX, MOST_CONTEXT, hints[0])
        _scaled(match, BORDER_PX, 1, hints[1])
        _scaled(behind, HIDDEN_PX, 1, hints[2])
        cv2.resize(certainty, self._size, dst=hints[3], interpolation=cv2.INTER_NEAREST)

    def _fill(self, cells: AnyArray, out: AnyArray) -> None:
        """Cells that the right camera does not see have the smaller of the nearest seen disparities in the row.

        What hides is nearer than what is hidden. A row of which nothing is seen stays as it is.
        """
        known, seen = self._mean, self._is_seen  # the mean is not needed yet
        known[...] = np.inf
        np.copyto(known, cells, where=seen)
        self._nearest_on_left(known, seen, out)
        self._nearest_on_left(known[:, ::-1], seen[:, ::-1], self._near[:, ::-1])
        np.minimum(out, self._near, out=out)
        np.logical_not(np.isfinite(out, out=self._row), out=self._row)
        np.copyto(out, cells, where=self._row)

    def _nearest_on_left(self, values: FloatImage, is_seen: Mask, out: AnyArray) -> None:
        """Each cell's own value where it is seen, else the last seen one before it in the row, else inf."""
        index = self._index
        np.multiply(is_seen, self._places, out=index)
        np.maximum.accumulate(index, axis=1, out=index)
        for row, places in enumerate(index):
            np.take(values[row], places, out=out[row], mode="clip")


def first_to_the_right(match: FloatImage, out: FloatImage) -> None:
    """The leftmost match of all cells farther right in the same row: one that lies left of the cell's own hides it."""
    np.minimum.accumulate(match[:, :0:-1], axis=1, out=out[:, -2::-1])
    out[:, -1] = FAR_AWAY_PX


def _scaled(values: AnyArray, unit: float, most: float, out: AnyArray) -> None:
    np.divide(values, unit, out=out)
    np.clip(out, -most, most, out=out)
