"""Disparity in parts: cells of 4 rows x 2 columns, whose pixels lie in the channels of one output."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage

ROWS, COLUMNS = 4, 2
"""Size in px of a cell."""


def from_parts(parts: AnyArray, out: FloatImage | None = None) -> FloatImage:
    """(1, 8, H/4, W/2) -> (H, W): channel 2i + j is row i, column j of each cell; into ``out`` where one is given."""
    _, _, height, width = parts.shape
    image = np.empty((ROWS * height, COLUMNS * width), np.float32) if out is None else out
    cells = image.reshape(height, ROWS, width, COLUMNS)
    for row in range(ROWS):
        for column in range(COLUMNS):
            cells[:, row, :, column] = parts[0, COLUMNS * row + column]
    return image
