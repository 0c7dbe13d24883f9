"""Warp between two stages: the right image resampled at the matches found so far, and what they say of each cell.

numpy and OpenCV alone, as on the device; ``hints.py`` has the same for the training, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]

ROWS, COLUMNS = 4, 2
SAMPLE_ROW = 1
MEAN_CELLS = 31
CONTEXT_PX, MOST_CONTEXT = 16.0, 4.0
BORDER_PX, HIDDEN_PX, FAR_AWAY_PX = 16.0, 4.0, 1e4


class Warp:
    """Fills the second stage's inputs for images of one size; per frame nothing of their size is allocated."""

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self._columns, self._rows = (
            np.ascontiguousarray(grid, np.float32) for grid in np.meshgrid(np.arange(width), np.arange(height))
        )
        self._match = np.empty((height, width), np.float32)
        self._cell_columns = np.arange(0, width, COLUMNS, dtype=np.float32)

    def __call__(
        self, right: Image, disparity_px: Image, certainty: Image, inputs: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        """Fill ``warped`` (1, 1, H, W), ``disparity`` (1, 2, H/4, W/2) and ``hints`` (1, 4, H/4, W/2) of ``inputs``.

        ``right`` (H, W) is the normalized image, ``disparity_px`` (H, W) what was found so far in px, ``certainty``
        (h, w) its certainty at any resolution.
        """
        np.subtract(self._columns, disparity_px, out=self._match)
        inputs["warped"][0, 0] = cv2.remap(
            right, self._match, self._rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        cells = np.ascontiguousarray(disparity_px[SAMPLE_ROW::ROWS, ::COLUMNS], np.float32)
        match = self._cell_columns - cells
        behind = first_to_the_right(match) - match
        inputs["disparity"][0] = cells, filled(cells, (match >= 0) & (behind >= 0))
        hints, mean = inputs["hints"][0], cv2.blur(cells, (MEAN_CELLS, MEAN_CELLS), borderType=cv2.BORDER_REPLICATE)
        hints[0] = np.clip((cells - mean) / CONTEXT_PX, -MOST_CONTEXT, MOST_CONTEXT)
        hints[1] = np.clip(match / BORDER_PX, -1, 1)
        hints[2] = np.clip(behind / HIDDEN_PX, -1, 1)
        hints[3] = cv2.resize(certainty, cells.shape[::-1], interpolation=cv2.INTER_NEAREST)


def first_to_the_right(match: Image) -> Image:
    """The leftmost match of all cells farther right in the same row: one that lies left of the cell's own hides it."""
    least = np.minimum.accumulate(match[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([least[:, 1:], np.full((len(match), 1), FAR_AWAY_PX, np.float32)], axis=1)


def filled(cells: Image, is_seen: npt.NDArray[np.bool_]) -> Image:
    """Cells that the right camera does not see have the smaller of the nearest seen disparities in the row.

    What hides is nearer than what is hidden. A row of which nothing is seen stays as it is.
    """
    known = np.where(is_seen, cells, np.float32(np.inf))
    on_right = _nearest_on_left(known[:, ::-1], is_seen[:, ::-1])[:, ::-1]
    nearest = np.minimum(_nearest_on_left(known, is_seen), on_right)
    return np.where(np.isfinite(nearest), nearest, cells)


def _nearest_on_left(values: Image, is_seen: npt.NDArray[np.bool_]) -> Image:
    """Each cell's own value where it is seen, else the last seen one before it in the row, else inf."""
    column = np.where(is_seen, np.arange(values.shape[1]), 0)
    return np.take_along_axis(values, np.maximum.accumulate(column, axis=1), axis=1)


def from_parts(parts: npt.NDArray[Any]) -> Image:
    """The second stage's disparity (1, 8, H/4, W/2) -> (H, W): channel 2i + j is row i, column j of each cell."""
    _, _, height, width = parts.shape
    image = np.empty((height, ROWS, COLUMNS * width), np.float32)
    for row in range(ROWS):
        pair = parts[0, COLUMNS * row], parts[0, COLUMNS * row + 1]
        image[:, row] = cv2.merge(pair).reshape(height, -1)
    return image.reshape(ROWS * height, -1)
