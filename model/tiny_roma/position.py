"""From the similarity of cells to the expected position of each cell of A in B.

Positions are in [-1, 1], x and y; the centre of cell i of n lies at ``(2 i + 1) / n - 1``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .blocks import pad_zeros
from .config import TinyRomaConfig

Array = npt.NDArray[Any]

FAR = -1e4
"""Logit of a candidate that does not exist."""

COARSER = 4
"""The released branch looks at every fourth cell along both axes besides the best one."""


def centres(count: int) -> Array:
    return np.asarray((2 * np.arange(count) + 1) / count - 1, np.float32)


@lru_cache(maxsize=16)
def cell_grid(height: int, width: int) -> Tensor:
    """(H W, 2): x and y of the cells, row by row."""
    return _pairs(centres(width), centres(height))


def _pairs(x: Array, y: Array) -> Tensor:
    """(len(y) len(x), 2), row by row. Made by numpy, so that an exported graph holds the numbers and no recipe."""
    return torch.from_numpy(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32))


def expected_position(config: TinyRomaConfig, a: Tensor, b: Tensor, exact: bool = False) -> Tensor:
    """Features (B, C, h, w) of both images -> (B, 2, h, w), where in B each cell of A lies.

    ``exact`` takes the expectation whatever the variant says: the released branch has no gradient.
    """
    if config.correlation == "full":
        return _full(a, b, released=config.position == "released" and not exact)
    return _band(a, b, config.band_rows, config.band_columns)


def _full(a: Tensor, b: Tensor, released: bool) -> Tensor:
    batch, channels, height, width = map(int, a.shape)
    similarity = torch.matmul(_cells(a * channels**-0.5), b.reshape(batch, channels, -1))
    grid = cell_grid(height, width).to(a.device)
    place = _released(similarity, grid, height, width) if released else torch.matmul(similarity.softmax(2), grid)
    return place.transpose(1, 2).reshape(batch, 2, height, width)


def _cells(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h w, C)."""
    return x.reshape(int(x.shape[0]), int(x.shape[1]), -1).transpose(1, 2)


def _released(similarity: Tensor, grid: Tensor, height: int, width: int) -> Tensor:
    """The inference branch of the release: (B, h w, h w) -> (B, h w, 2).

    It puts the INDEX of the best cell beside the similarities of every fourth cell as one more logit. Where the
    index is large, which is nearly everywhere, the softmax gives it all the weight: in effect an argmax.
    """
    batch, cells, _ = map(int, similarity.shape)
    best = similarity.argmax(2)
    coarse = similarity.reshape(batch, cells, height, width)[..., ::COARSER, ::COARSER].reshape(batch, cells, -1)
    weight = torch.cat([coarse, best[..., None].to(coarse.dtype)], 2).softmax(2)
    coarse_grid = _coarser_grid(height, width).to(grid.device)
    chosen = grid[best] if not torch.onnx.is_in_onnx_export() else grid.index_select(0, best.reshape(-1))[None]
    return torch.matmul(weight[..., :-1], coarse_grid) + weight[..., -1:] * chosen


def _coarser_grid(height: int, width: int) -> Tensor:
    """(count, 2): centres of blocks of 4x4 cells. The release fails where 4 does not divide the size; here the
    last block is then narrower."""
    x, y = (np.linspace(COARSER / n - 1, 1 - COARSER / n, -(-n // COARSER)) for n in (width, height))
    return _pairs(x, y)


def _band(a: Tensor, b: Tensor, rows: int, columns: tuple[int, ...]) -> Tensor:
    """Candidates within ``rows`` rows and within ``columns``, by one matrix product per block of cells and row.

    Columns of A are cut into blocks; all candidates of a block lie in one window of B, so that a product of
    small matrices holds little besides the band.
    """
    batch, channels, height, width = map(int, a.shape)
    layout = BandLayout.of(height, width, rows, columns)
    padded = pad_zeros(b, (layout.left, layout.right), (rows, rows))
    scaled = a * channels**-0.5  # not the products, of which there are many more
    blocks_a = torch.stack([scaled[..., s : s + layout.block] for s in layout.starts], 1)
    blocks_b = torch.stack([padded[..., s : s + layout.window] for s in layout.starts], 1)
    left_cells = blocks_a.permute(0, 1, 3, 4, 2).reshape(-1, layout.block, channels)
    shifts = [blocks_b[..., k : k + height, :].permute(0, 1, 3, 2, 4) for k in range(2 * rows + 1)]
    products = [torch.matmul(left_cells, shift.reshape(-1, channels, layout.window)) for shift in shifts]
    tables = _tables(layout)
    missing, offsets, own = (table.to(a.device) for table in tables)
    similarity = torch.cat(products, 2)
    if batch > 1:
        missing = missing.repeat(batch, 1, 1)
    place = torch.matmul((similarity + missing).softmax(2), offsets)  # (B blocks h, block, 2)
    place = place.reshape(batch, len(layout.starts), height, layout.block, 2).permute(0, 4, 2, 1, 3)
    return place.reshape(batch, 2, height, width) + own


@dataclass(frozen=True, slots=True)
class BandLayout:
    """How the columns are cut: blocks of A, and the window of B that holds all candidates of a block; in cells."""

    height: int
    width: int
    rows: int  # above and below the own one
    columns: tuple[int, int]  # least and greatest x_A - x_B
    block: int
    left: int  # columns that the window reaches beyond its block
    right: int

    @classmethod
    def of(cls, height: int, width: int, rows: int, columns: tuple[int, ...]) -> BandLayout:
        low, high = columns or (-width, width)
        block = _block_width(width, low, high)
        left, right = (0, 0) if block == width else (max(high, 0), max(-low, 0))
        return cls(height, width, rows, (low, high), block, left, right)

    @property
    def window(self) -> int:
        return self.left + self.block + self.right

    @property
    def starts(self) -> range:
        return range(0, self.width, self.block)


def _block_width(width: int, low: int, high: int) -> int:
    """All columns for whole rows, else the divisor of ``width`` nearest to half the range."""
    if high - low >= width:
        return width
    divisors = [n for n in range(1, width + 1) if width % n == 0]
    return min(divisors, key=lambda n: abs(math.log(2 * n / (high - low))))


@lru_cache(maxsize=16)
def _tables(layout: BandLayout) -> tuple[Tensor, Tensor, Tensor]:
    """The constants of a layout: logits of missing candidates, positions of candidates, positions of cells.

    (blocks h, block, (2 rows + 1) window), ((2 rows + 1) window, 2), (1, 2, h, w); positions in [-1, 1] units, those
    of candidates from the first cell of the block in its own row.
    """
    around = np.arange(-layout.rows, layout.rows + 1)
    ahead = np.arange(layout.window) - layout.left
    offsets = _pairs(2 * ahead / layout.width, 2 * around / layout.height)
    first = np.arange(layout.width) // layout.block * layout.block
    own = _pairs(centres(layout.width)[first], centres(layout.height)).T.reshape(1, 2, layout.height, layout.width)
    missing = np.where(_exists(layout, around, ahead), 0, FAR).astype(np.float32)
    return torch.from_numpy(missing.reshape(len(layout.starts) * layout.height, layout.block, -1)), offsets, own


def _exists(layout: BandLayout, around: Array, ahead: Array) -> Array:
    """bool (blocks, h, block, 2 rows + 1, window): the candidate lies in the image and in the range of columns."""
    y_b = np.arange(layout.height)[:, None] + around
    start = np.arange(0, layout.width, layout.block)
    x_a, x_b = start[:, None] + np.arange(layout.block), start[:, None] + ahead
    shift = x_a[:, :, None] - x_b[:, None]
    in_range = (shift >= layout.columns[0]) & (shift <= layout.columns[1])
    in_row = in_range & ((x_b >= 0) & (x_b < layout.width))[:, None]
    in_column = (y_b >= 0) & (y_b < layout.height)
    return np.asarray(in_row[:, None, :, None, :] & in_column[None, :, None, :, None])
