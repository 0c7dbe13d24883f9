"""Global matching at 1/16: all-pairs correlation, softmax, and the expected position around its peak."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.base.layers import single, unit

from .grid import Grid

SHARPENED = 4.0
"""Logits times this point at the most probable cell, or between two that are equally probable."""

PEAK_REACH = 2.5
"""Cells around the most probable one that the expected position takes into account, the less the farther."""

LEAST = 1e-4
"""Weight of cells beyond: where nothing is near the peak, the mean of all is taken."""


@dataclass(frozen=True, slots=True)
class GlobalMatch:
    """Result of the global matching."""

    flow: Tensor  # (B, 2, h, w) in cells
    trust: Tensor  # (B, 2, h, w): probability around the peak, seen from A and from B
    logits: Tensor  # (B, h, w, h w)


class GlobalMatching(nn.Module):
    """Global matching: features (B, C, h, w) of both images -> GlobalMatch.

    The expected position is that over the cells around the peak: over all cells it would lie between two places that
    look alike. Distances to the peak come from a product of small matrices, as |g - p|^2 = |g|^2 - 2 g p + |p|^2.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(inputs, width, 1)
        self.sharpness = nn.Parameter(torch.tensor(12.0))

    def forward(self, a: Tensor, b: Tensor, grid: Grid) -> GlobalMatch:
        a, b = self.project(a), self.project(b)
        with torch.autocast(a.device.type, enabled=False):  # positions need more than bf16's 8 bits
            a, b = unit(single(a)).permute(0, 2, 3, 1), _as_columns(unit(single(b)))
            logits = self.sharpness * torch.matmul(a, b)  # (B, h, w, N)
            return GlobalMatch(*_peak(logits.detach(), self.sharpness.detach(), grid), logits)


def _peak(logits: Tensor, greatest: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Flow and trust; no logit exceeds ``greatest``."""
    places = _as_columns(grid.own)  # (1, 1, 2, N)
    down = places.transpose(2, 3)
    peak = torch.matmul((SHARPENED * logits).softmax(3), down)  # (B, h, w, 2)
    lengths = (places * places).sum(2, keepdim=True)
    squares = (peak * peak).sum(3, keepdim=True) + lengths - 2 * torch.matmul(peak, places)
    near = (1 - squares / PEAK_REACH**2).clamp(LEAST, 1)
    from_a = logits.softmax(3)
    weight = from_a * near
    total = weight.sum(3, keepdim=True)
    expected = torch.matmul(weight, down) / total
    agreed = (_from_b(logits, greatest) * near).sum(3, keepdim=True).clamp(max=1)
    trust = torch.cat([total, agreed], 3).permute(0, 3, 1, 2)
    return expected.permute(0, 3, 1, 2) - grid.own, trust


def _as_columns(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, 1, C, N)."""
    return x.reshape(int(x.shape[0]), 1, int(x.shape[1]), -1)


def _from_b(logits: Tensor, greatest: Tensor) -> Tensor:
    """Softmax over the cells of A: (B, h, w, N). By exponentials, as softmax takes a single axis."""
    relative = torch.exp(logits - greatest)
    return relative / relative.sum((1, 2), keepdim=True)
