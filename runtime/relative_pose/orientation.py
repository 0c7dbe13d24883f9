"""Orientation of small triangles of matches: two views of one surface keep it, a mirror image turns it over."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray

CELLS = 12
"""Of the field of view, across: triangles are made of matches that are near each other in the first image."""

TURNED_OVER, HARDLY_KEPT = 0.0, 0.1
"""What is kept below which matches mean nothing, and below which they may. Real pairs keep 0.9 and more, points at
random depths in space 0.07 and more, mirror images as a rule less than 0."""

MIRRORED = "the matches turn the scene inside out: they are wrong, or one of the images is mirrored"


def kept_orientation(a: FloatArray, b: FloatArray) -> float:
    """Of matches at ``a`` and ``b`` (2.., N): from 1, where small triangles are turned alike, to -1, in a mirror image.

    Near 0 where neighbours in the first image are none in the second. Triangles count by the roots of their areas:
    noise turns the slender ones over.
    """
    order = _along_rows(a[:2])
    area_a, area_b = (_areas(side[:2, order]) for side in (a, b))
    weight = np.sqrt(np.abs(area_a * area_b))
    return float((weight * np.sign(area_a * area_b)).sum() / max(weight.sum(), 1e-300))


def _along_rows(points: FloatArray) -> IntArray:
    """(N,) an order of points (2, N) in which neighbours are near each other: to and fro, in rows of cells."""
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    column, row = np.minimum(CELLS * (points - low) / np.maximum(high - low, 1e-12), CELLS - 1).astype(np.intp)
    along = np.where(row % 2 == 0, column, CELLS - 1 - column)
    return np.asarray(np.argsort(row * CELLS + along, kind="stable"))


def _areas(points: FloatArray) -> FloatArray:
    """(N - 2,) signed areas, doubled, of the triangles of three points (2, N) in a row."""
    first, second = points[:, 1:-1] - points[:, :-2], points[:, 2:] - points[:, 1:-1]
    return np.asarray(first[0] * second[1] - first[1] * second[0])
