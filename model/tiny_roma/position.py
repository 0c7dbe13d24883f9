"""From the similarity of cells to the expected position of each cell of A in B."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .band import BandComparison
from .cells import Candidates, cell_grid, pairs
from .config import TinyRomaConfig

COARSER = 4
"""The released branch looks at every fourth cell along both axes besides the best one."""


def expected_position(config: TinyRomaConfig, a: Tensor, b: Tensor, exact: bool = False) -> Tensor:
    """Features (B, C, h, w) of both images -> (B, 2, h, w), where in B each cell of A lies.

    ``exact`` takes the expectation whatever the variant says: the released branch has no gradient.
    """
    return compare(config, a, b, exact).position()


def compare(config: TinyRomaConfig, a: Tensor, b: Tensor, exact: bool = False) -> FullComparison | BandComparison:
    """Features (B, C, h, w) of both images -> the similarity of each cell of A to its candidates in B."""
    if config.correlation == "full":
        return FullComparison.of(a, b, released=config.position == "released" and not exact)
    return BandComparison.of(a, b, config.band_rows, config.band_columns)


@dataclass(frozen=True, slots=True)
class FullComparison:
    """Of each cell of A with all cells of B."""

    similarity: Tensor  # (B, h w, h w)
    size: tuple[int, int]  # height and width in cells
    released: bool

    @classmethod
    def of(cls, a: Tensor, b: Tensor, released: bool) -> FullComparison:
        batch, channels, height, width = map(int, a.shape)
        similarity = torch.matmul(_cells(a * channels**-0.5), b.reshape(batch, channels, -1))
        return cls(similarity, (height, width), released)

    def position(self) -> Tensor:
        """(B, 2, h, w): the expectation over the candidates, or what the release takes for it."""
        grid = cell_grid(*self.size).to(self.similarity.device)
        if self.released:
            place = _released(self.similarity, grid, *self.size)
        else:
            place = torch.matmul(self.similarity.softmax(2), grid)
        return place.transpose(1, 2).reshape(int(self.similarity.shape[0]), 2, *self.size)

    def candidates(self) -> Candidates:
        logits = self.similarity.reshape(-1, *self.size, int(self.similarity.shape[2]))
        grid = cell_grid(*self.size).to(logits.device)
        return Candidates(logits, logits.new_zeros(1, 2, *self.size), grid)


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
    return pairs(x, y)
