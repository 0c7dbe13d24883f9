"""Shi-Tomasi corners, spread evenly over the image by cells: what a pose is computed from has to surround it."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Image, IntArray, Size

CELL_PX = 32
"""Side of the cells, each of which gives the same number of points."""

BORDER_PX = 8
"""Points nearer to the border lose their patch at once."""

APART_PX = 7
"""Distance of two points at least, along x or y: nearer ones share most of their patches and tell nothing new."""

LEAST_CORNER = 3e-5
"""Smallest eigenvalue of the gradient matrix (grey in [0, 1], 5x5 window) below which noise alone moves a point."""

SPREAD_CELLS = (6, 4)
"""Columns and rows in which ``spread`` counts."""


def balanced_corners(image: Image, most: int) -> FloatArray:
    """At most about ``most`` corners (N, 2) px of a grey image (H, W), evenly over the cells; the same every time.

    Source of the measure: Shi and Tomasi, "Good Features to Track", CVPR 1994.
    """
    strength = cv2.cornerMinEigenVal(image.astype(np.float32) / 255, 5, ksize=3)
    peak = strength >= cv2.dilate(strength, np.ones((APART_PX, APART_PX), np.uint8))
    peak &= strength > LEAST_CORNER
    peak[:BORDER_PX], peak[-BORDER_PX:] = False, False
    peak[:, :BORDER_PX], peak[:, -BORDER_PX:] = False, False
    y, x = np.nonzero(peak)
    chosen = _best_of_cells(x, y, strength[y, x], image.shape, most)
    return np.column_stack([x[chosen], y[chosen]]).astype(np.float64)


def _best_of_cells(
    x: IntArray,
    y: IntArray,
    strength: FloatImage,
    shape: tuple[int, ...],
    most: int,
) -> IntArray:
    """Indices of at most ``most`` points: the best of every cell first, then the second best, and so on."""
    columns = -(-shape[1] // CELL_PX)
    cell = y // CELL_PX * columns + x // CELL_PX
    order = np.lexsort((-strength, cell))
    first = np.searchsorted(cell[order], cell[order], side="left")
    rank = np.arange(len(order)) - first
    return order[np.lexsort((-strength[order], rank))][:most]


def spread(points: FloatArray, size: Size) -> float:
    """Share of a coarse grid's cells over an image of ``size`` that hold a point; in [0, 1]."""
    if not len(points):
        return 0.0
    columns, rows = SPREAD_CELLS
    cell = np.floor(points / np.array(size) * SPREAD_CELLS).astype(int)
    cell = np.clip(cell, 0, (columns - 1, rows - 1))
    return len(np.unique(cell[:, 1] * columns + cell[:, 0])) / (columns * rows)
