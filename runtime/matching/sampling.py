"""Sampling of dense matches: a few thousand point pairs, spread so that no part of the scene outweighs the others.

The balanced way follows RoMa (Edstedt et al., CVPR 2024): of the matches that are certain, those in dense regions of
the joint space (x, y in the first image, x, y in the second) are drawn less often, in inverse proportion to a kernel
density. The density comes from counts in shifted grids instead of all distances, so that it costs linear time, and the
draws are stratified. Only whole numbers and single roundings decide what is drawn: the same matches give the same
points on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, IntArray, Mask, Size
from roma_device.runtime.types import Matches

from .point_pairs import PointPairs

CANDIDATES_PER_POINT = 4
"""Certain matches looked at for each point that is drawn, as the release has it."""

KERNEL_CELL = 0.245
"""Side of a grid's cells, as a share of half the image: averaged over shifts they make a triangular kernel as wide as
RoMa's Gaussian of 0.1 (its variance is a sixth of the square of the side)."""

SHIFTS = 4
LEAST_DENSITY = 10.0
"""A match with fewer others near it (of 5,000 x 4) is most likely wrong: it is drawn only if nothing else is there."""

_LONELY_WEIGHT = 1e-7

Indices = IntArray


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How points are drawn."""

    count: int = 5000
    min_certainty: float = 0.05
    way: str = "balanced"  # one of SAMPLERS
    seed: int = 0


def sample_matches(
    matches: Matches, size_b: Size, options: SamplingOptions, block_px: float | None = None
) -> PointPairs:
    """At most ``options.count`` points of ``matches`` that are certain and lie inside the second image.

    ``size_b``: width and height of the second image, in whose pixels the warp counts. ``block_px``: side in px of the
    first image of the cells that a network matches as one; None where every pixel was matched by itself.
    The pixels come from ``decode_two_view``, which counts from pixel centres already: nothing is shifted here.
    """
    warp, certainty = matches.warp, matches.certainty
    flat = SAMPLERS[options.way](warp, certainty, size_b, options)
    row, column = np.unravel_index(flat, certainty.shape)
    block = None if block_px is None else _blocks(row, column, block_px, certainty.shape[1])
    a = np.column_stack([column, row]).astype(np.float64)
    return PointPairs(a, warp[row, column].astype(np.float64), certainty[row, column].astype(np.float64), block)


def _shares(warp: FloatImage, flat: Indices, size: Size) -> FloatImage:
    """(2, N) where the matches of the pixels ``flat`` lie, from 0 at one border of an image of ``size`` to 1."""
    return np.asarray((warp.reshape(-1, 2)[flat].T + np.float32(0.5)) / np.array([size], np.float32).T)


def _inside(found: FloatImage) -> Mask:
    """(N,) from shares (2, N)."""
    return np.asarray(((found >= 0) & (found < 1)).all(axis=0))


def _blocks(row: Indices, column: Indices, block_px: float, width: int) -> Indices:
    across = int(width / block_px) + 1
    return np.asarray((row / block_px).astype(np.intp) * across + (column / block_px).astype(np.intp))


def _balanced(warp: FloatImage, certainty: FloatImage, size_b: Size, options: SamplingOptions) -> Indices:
    """Flat indices, by inverse density."""
    usable = np.flatnonzero(certainty >= options.min_certainty)
    candidates = usable[_strata(len(usable), CANDIDATES_PER_POINT * options.count, options.seed)]
    found = _shares(warp, candidates, size_b)
    inside = _inside(found)
    candidates, found = candidates[inside], found[:, inside]
    if len(candidates) <= options.count:
        return np.asarray(candidates)
    row, column = np.unravel_index(candidates, certainty.shape)
    height, width = certainty.shape
    where = np.stack([(column / width).astype(np.float32), (row / height).astype(np.float32), *found])
    density = _density(2 * where) * (CANDIDATES_PER_POINT * 5000 / len(candidates))
    weight = np.where(density < LEAST_DENSITY, _LONELY_WEIGHT, 1 / (density + 1))
    return np.asarray(candidates[_weighted_strata(weight, options.count, options.seed + 1)])


def _grid(warp: FloatImage, certainty: FloatImage, size_b: Size, options: SamplingOptions) -> Indices:
    """Flat indices: the most certain match of each cell of a regular grid."""
    height, width = certainty.shape
    side = max(1, int(np.sqrt(height * width / options.count)))
    rows, columns = -(-height // side), -(-width // side)
    padded = np.zeros((rows * side, columns * side), np.float32)
    padded[:height, :width] = certainty
    cells = padded.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(rows * columns, -1)
    best = cells.argmax(axis=1)
    cell = np.flatnonzero(cells[np.arange(len(cells)), best] >= max(options.min_certainty, 1e-9))
    row = (cell // columns) * side + best[cell] // side
    column = (cell % columns) * side + best[cell] % side
    flat = np.asarray(row * width + column)
    flat = flat[_inside(_shares(warp, flat, size_b))]
    return flat[_strata(len(flat), options.count, options.seed)]


SAMPLERS: dict[str, Callable[[FloatImage, FloatImage, Size, SamplingOptions], Indices]] = {
    "balanced": _balanced,
    "grid": _grid,
}
"""Way of sampling -> who does it: warp, certainty, size of image b, options -> flat indices."""


def _strata(length: int, count: int, seed: int) -> Indices:
    """At most ``count`` ascending indices below ``length``, one from each of ``count`` equal parts."""
    if length <= count:
        return np.arange(length)
    drawn = ((np.arange(count) + _uniform(count, seed)) * (length / count)).astype(np.intp)
    return _without_repetition(drawn)


def _weighted_strata(weight: FloatArray, count: int, seed: int) -> Indices:
    """At most ``count`` ascending indices without repetition, each with a chance in proportion to its weight."""
    total = np.cumsum(weight)
    drawn = np.searchsorted(total, (np.arange(count) + _uniform(count, seed)) * (total[-1] / count), side="right")
    return _without_repetition(np.minimum(drawn, len(weight) - 1))


def _without_repetition(ascending: Indices) -> Indices:
    return np.asarray(ascending[np.diff(ascending, prepend=-1) > 0])


def _uniform(count: int, seed: int) -> FloatArray:
    """(count,) in [0, 1) from the raw bits of PCG64, which numpy keeps the same for good."""
    return np.asarray((np.random.PCG64(seed).random_raw(count) >> np.uint64(11)) * 2.0**-53)


def _density(where: FloatImage) -> FloatArray:
    """(N,) how many of the points (4, N) in [0, 2] lie near each, by averaged shifted grids, at most 1 each."""
    across = int(2 / KERNEL_CELL) + 2
    counts = np.zeros(where.shape[1])
    scaled = where / np.float32(KERNEL_CELL)
    for shift in range(SHIFTS):
        xa, ya, xb, yb = (scaled + np.float32(shift / SHIFTS)).astype(np.int32)
        index = ((xa * across + ya) * across + xb) * across + yb
        counts += np.bincount(index, minlength=across**4)[index]
    return counts / SHIFTS
