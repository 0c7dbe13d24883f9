"""Coordinate grids of cells, in cells and in [-1, 1].

Flows count in cells of their own level: the cell (x, y) of A lies at (x, y) + flow in B.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Grid:
    """Coordinate grid of one level."""

    own: Tensor  # (1, 2, h, w): x and y of each cell, from 0
    half: Tensor  # (1, 2, 1, 1): half the number of columns and rows

    @classmethod
    def of(cls, features: Tensor) -> Grid:
        """For the last two axes of ``features``; a graph exported for any size counts them itself."""
        x = torch.arange(features.shape[3], device=features.device).float().view(1, 1, 1, -1)
        y = torch.arange(features.shape[2], device=features.device).float().view(1, 1, -1, 1)
        own = torch.cat([x + 0 * y, 0 * x + y], 1)
        return cls(own, (own[..., -1:, -1:] + 1) / 2)

    def position(self, flow: Tensor) -> Tensor:
        """(B, 2, h, w) in cells -> where in B, in [-1, 1] from border to border."""
        return (self.own + flow + 0.5) / self.half - 1

    def flow(self, position: Tensor) -> Tensor:
        """The inverse of ``position``."""
        return (position + 1) * self.half - 0.5 - self.own
