"""Where cells are, in cells and in [-1, 1], and features fetched from there.

Flows count in cells of their own level: the cell (x, y) of A lies at (x, y) + flow in B.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of one level."""

    own: Tensor  # (1, 2, h, w): x and y of each cell, from 0
    half: Tensor  # (1, 2, 1, 1): half the number of columns and rows

    @classmethod
    def of(cls, features: Tensor, open_size: bool) -> Grid:
        """For the last two axes of ``features``.

        ``open_size``: count the cells in the graph, by running sums over ones, which hosts can do; otherwise the
        exported graph holds the numbers, as the NPU needs it.
        """
        if open_size:
            ones = features[:1, :1] * 0 + 1
            columns, rows = torch.cumsum(ones, 3), torch.cumsum(ones, 2)
            half = torch.cat([columns[..., -1:, -1:], rows[..., -1:, -1:]], 1) / 2
            return cls(torch.cat([columns, rows], 1) - 1, half)
        height, width = int(features.shape[2]), int(features.shape[3])
        y, x = torch.meshgrid(
            torch.arange(height, dtype=torch.float32), torch.arange(width, dtype=torch.float32), indexing="ij"
        )
        half = torch.tensor([width / 2, height / 2]).view(1, 2, 1, 1)
        return cls(torch.stack([x, y])[None].to(features.device), half.to(features.device))

    def position(self, flow: Tensor) -> Tensor:
        """(B, 2, h, w) in cells -> where in B, in [-1, 1] from border to border."""
        return (self.own + flow + 0.5) / self.half - 1

    def flow(self, position: Tensor) -> Tensor:
        """The inverse of ``position``."""
        return (position + 1) * self.half - 0.5 - self.own


def fetched(features: Tensor, position: Tensor) -> Tensor:
    """(B, C, h, w) at (B, 2, h', w') in [-1, 1], bilinear, zero outside."""
    return functional.grid_sample(
        features, position.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros", align_corners=False
    )
