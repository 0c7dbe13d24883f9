"""One refinement: B's features are sampled (warped) where the match is so far, and compared by local correlation.

PWC-Net's warping and local cost volume (Sun et al., CVPR 2018). A choice within the window is a choice among the
matches of the neighbours, each moved along: so what one cell found spreads to those around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.base.layers import channel_sum, conv, single, unit
from model.tiny_roma.cells import sample

from .grid import Grid
from .local_correlation import similarities, steps, window_contents


@dataclass(frozen=True, slots=True)
class RefinedMatch:
    """Result of one refinement, at ``stride`` input px per cell; ``candidates`` are the flows it chose among."""

    stride: int
    grid: Grid
    flow: Tensor  # (B, 2, h, w) in cells
    trust_logit: Tensor  # (B, 1, h, w)
    logits: Tensor  # (B, cells of the window, h, w)
    candidates: tuple[Tensor, Tensor]  # x and y, each (B, cells of the window, h, w)

    @property
    def position(self) -> Tensor:
        return self.grid.position(self.flow)


class Refine(nn.Module):
    """Features of both images, flow and trust so far -> Refined. Gradients do not pass through the flow."""

    def __init__(self, stride: int, features: int, width: int, hidden: int, reach: int, trusts: int) -> None:
        super().__init__()
        self.stride, self.reach = stride, reach
        cells = (2 * reach + 1) ** 2
        self.project = nn.Conv2d(features, width, 1)
        self.inlet = conv(cells, hidden, 1)
        self.body = nn.Sequential(conv(hidden + features + trusts, hidden), conv(hidden, hidden))
        self.score = nn.Conv2d(hidden, cells, 1)
        self.direct = nn.Parameter(torch.tensor(8.0))  # how much raw similarity counts besides the filtered one
        self.delta = nn.Conv2d(hidden, 2, 1)
        self.trust = nn.Sequential(conv(hidden + 2, 16), nn.Conv2d(16, 1, 1))
        for last in (self.score, self.delta):
            nn.init.zeros_(last.weight)
        self.steps: Tensor
        self.register_buffer("steps", steps(reach), persistent=False)

    def forward(self, a: Tensor, b: Tensor, flow: Tensor, trust: Tensor, grid: Grid) -> RefinedMatch:
        projected_a, projected_b = self.project(a), self.project(b)
        with torch.autocast(a.device.type, enabled=False):
            there = sample(single(projected_b), grid.position(flow))
            similar = similarities(unit(single(projected_a)), unit(there), self.reach)
            x, y = (window_contents(flow[:, k : k + 1], self.reach) + self.steps[k : k + 1] for k in (0, 1))
        hidden = self.body(torch.cat([self.inlet(similar), a, _as(trust, a)], 1))
        scores, delta = self.score(hidden), self.delta(hidden)
        with torch.autocast(a.device.type, enabled=False):
            logits = single(scores) + self.direct * similar
            chosen = functional.softmax(logits, 1)
            refined = torch.cat([channel_sum(chosen * x), channel_sum(chosen * y)], 1) + single(delta)
            signs = [channel_sum(chosen * chosen), channel_sum(chosen * similar)]
        known = torch.cat([hidden, *(_as(sign, hidden) for sign in signs)], 1)
        return RefinedMatch(self.stride, grid, refined, single(self.trust(known.detach())), logits, (x, y))


def _as(x: Tensor, like: Tensor) -> Tensor:
    return x if x.dtype == like.dtype else x.to(like.dtype)
