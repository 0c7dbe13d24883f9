"""The objective: TinyRoMa's own (Edstedt et al., RoMa, CVPR 2024), and cross-entropy of the coarse comparison.

TinyRoMa's is robust regression and certainty at every stage. Alone it teaches the comparison only through the
expectation, which says in what direction the match lies but not which cell it is: slow from random weights.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from model.data.two_view_pairs import TwoViewBatch

from .cells import Candidates
from .network import Stage

ALPHA = 0.15
"""Exponent of the robust loss; 2 would be squares."""
SCALE_PER_STRIDE = 1e-4
GOOD_PER_STRIDE = 1e-3
"""A certainty of 1 means: the match is less than this times the stride off, in units of half the image."""
FINE_REACH = 0.0625
"""The fine stage learns where the coarse one came so near."""
CERTAINTY_WEIGHT = 0.01
COARSE_STRIDE = 8
"""Input px per cell of the comparison."""


def two_view_loss(stages: list[Stage], truth: TwoViewBatch) -> tuple[Tensor, dict[str, float]]:
    """Sum over stages, and its parts for the log."""
    total = torch.zeros((), device=truth.a.device)
    parts: dict[str, float] = {}
    before = None
    for number, stage in enumerate(stages):
        position, known = at_cells(truth, stage.stride)
        if stage.stride == 4 and before is not None:
            known = known & (_distance(_enlarged(before), position) < FINE_REACH)
        distance = _distance(stage.position, position)
        regression = (_robust(distance, SCALE_PER_STRIDE * stage.stride) * known).sum() / known.sum().clamp(min=1)
        good = (known & (distance.detach() < GOOD_PER_STRIDE * stage.stride)).float()
        certainty = functional.binary_cross_entropy_with_logits(stage.certainty_logit[:, 0], good)
        total = total + regression + CERTAINTY_WEIGHT * certainty
        parts |= {f"match{number}": float(regression.detach()), f"certainty{number}": float(certainty.detach())}
        before = stage.position.detach()
    return total, parts


def candidate_loss(candidates: Candidates, truth: TwoViewBatch) -> Tensor:
    """Cross-entropy of the candidates' probabilities against the true match, shared among the cells nearest to it.

    Cells whose match is hidden, or lies beyond all candidates, do not count.
    """
    position, known = at_cells(truth, COARSE_STRIDE)
    shares = candidates.shares(position) * known[..., None]
    return -(shares * candidates.logits.log_softmax(3)).sum() / shares.sum().clamp(min=1)


def at_cells(truth: TwoViewBatch, stride: int) -> tuple[Tensor, Tensor]:
    """The match of each cell's middle (B, 2, h, w), and whether it is known (B, h, w).

    The middle lies between four pixels; they must see one surface.
    """
    middle = stride // 2
    corners = [(i, j) for i in (middle - 1, middle) for j in (middle - 1, middle)]
    positions = torch.stack([truth.position[..., i::stride, j::stride] for i, j in corners])
    visible = torch.stack([truth.visible[..., i::stride, j::stride] for i, j in corners]).all(0)
    spread = (positions.amax(0) - positions.amin(0)).amax(1)
    limit = 8 / truth.a.shape[-1]  # 4 px: more is a jump from one surface to another
    return positions.mean(0), visible & (spread < limit)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """(B, 2, h, w) twice -> (B, h, w)."""
    return ((a.float() - b) ** 2).sum(1).add(1e-12).sqrt()


def _robust(distance: Tensor, scale: float) -> Tensor:
    """Quadratic near 0, nearly flat far off."""
    result: Tensor = scale**ALPHA * ((distance / scale) ** 2 + 1) ** (ALPHA / 2)
    return result


def _enlarged(position: Tensor) -> Tensor:
    return functional.interpolate(position, scale_factor=2, mode="bilinear", align_corners=False)
