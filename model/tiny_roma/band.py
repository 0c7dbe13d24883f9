"""Correlation with a band of cells: so many rows above and below, and a range of columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from model.base.layers import pad_zeros

from .cells import FAR, Array, Candidates, centres, pairs


@dataclass(frozen=True, slots=True)
class BandComparison:
    """Logits of the candidates of each cell, in the order in which the products give them."""

    logits: Tensor  # (B blocks h, block, K), K = (2 rows + 1) window
    layout: BandLayout

    @classmethod
    def of(cls, a: Tensor, b: Tensor, rows: int, columns: tuple[int, ...]) -> BandComparison:
        """One matrix product per block of cells and row, of features (B, C, h, w) of both images.

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
        missing = _tables(layout)[0].to(a.device)
        similarity = torch.cat(products, 2)
        if batch > 1:
            missing = missing.repeat(batch, 1, 1)
        return cls(similarity + missing, layout)

    def position(self) -> Tensor:
        """(B, 2, h, w): the expectation over the candidates."""
        _, offsets, own = (table.to(self.logits.device) for table in _tables(self.layout))
        place = torch.matmul(self.logits.softmax(2), offsets)  # (B blocks h, block, 2)
        place = self._by_block(place).permute(0, 4, 2, 1, 3)
        return place.reshape(-1, 2, self.layout.height, self.layout.width) + own

    def candidates(self) -> Candidates:
        _, offsets, own = (table.to(self.logits.device) for table in _tables(self.layout))
        ordered = self._by_block(self.logits).permute(0, 2, 1, 3, 4)
        logits = ordered.reshape(-1, self.layout.height, self.layout.width, self.logits.shape[2])
        return Candidates(logits, own, offsets)

    def _by_block(self, x: Tensor) -> Tensor:
        """(B blocks h, block, n) -> (B, blocks, h, block, n)."""
        layout = self.layout
        batch = int(x.shape[0]) // (len(layout.starts) * layout.height)
        return x.reshape(batch, len(layout.starts), layout.height, layout.block, int(x.shape[2]))


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
    offsets = pairs(2 * ahead / layout.width, 2 * around / layout.height)
    first = np.arange(layout.width) // layout.block * layout.block
    own = pairs(centres(layout.width)[first], centres(layout.height)).T.reshape(1, 2, layout.height, layout.width)
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
