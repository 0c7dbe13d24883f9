"""The training objective of the stereo network."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from model.data.stereo_pairs import PairBatch

from .network import StereoOutput

GOOD_PX = 2.0
"""A certainty of 1 means: the disparity is less than this far off."""


def stereo_loss(output: StereoOutput, truth: PairBatch, max_disparity_px: int) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum of its parts, and the parts for the log."""
    target = truth.disparity_px[:, None]
    known = (target < max_disparity_px - 4).float()
    weight = known * torch.where(truth.occluded[:, None], 0.5, 1.0)
    coarse_target, coarse_weight = _at_quarter(target), _at_quarter(weight)
    parts = {
        "fine": weighted_mean(robust(output.disparity_px - target), weight),
        "coarse": 0.5 * weighted_mean(robust(output.coarse_px - coarse_target), coarse_weight),
        "bins": 1.0 * weighted_mean(_cross_entropy(output.logits, coarse_target / 4), coarse_weight),
        "match": 0.3 * _matching(output.similarities, truth),
        "certainty": 0.5 * weighted_mean(_certainty(output, target), known),
    }
    return sum(parts.values(), torch.zeros(())), {name: float(value.detach()) for name, value in parts.items()}


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1)


def robust(error: Tensor) -> Tensor:
    """Quadratic below 1, the root of the error far above (RoMa, CVPR 2024): what cannot be seen weighs little."""
    return 3 * ((error * error + 1) ** 0.25 - 1)


def _at_quarter(x: Tensor) -> Tensor:
    """The pixel nearest to each cell's middle; averaging would invent depths at edges."""
    return x[..., 1::4, 1::4]


def _cross_entropy(logits: Tensor, position: Tensor) -> Tensor:
    """Against a target that is split linearly between the two candidates around ``position`` (B, 1, H, W)."""
    log_p = functional.log_softmax(logits.float(), 1)
    lower = position.clamp(0, logits.shape[1] - 1.001).floor()
    upper_share = (position - lower).clamp(0, 1)
    low, high = log_p.gather(1, lower.long()), log_p.gather(1, lower.long() + 1)
    return -((1 - upper_share) * low + upper_share * high)


def _matching(similarities: tuple[Tensor, ...], truth: PairBatch) -> Tensor:
    """Raw similarities must already peak at the match where there is one."""
    total = torch.zeros((), device=truth.left.device)
    for level, similarity in enumerate(similarities):
        step = 4 * 2**level
        target = truth.disparity_px[:, None, step // 2 - 1 :: step, step // 2 - 1 :: step]
        seen = ~truth.occluded[:, None, step // 2 - 1 :: step, step // 2 - 1 :: step]
        usable = seen & (target < step * (similarity.shape[1] - 1))
        total = total + weighted_mean(_cross_entropy(12 * similarity, target / step), usable.float())
    return total / len(similarities)


def _certainty(output: StereoOutput, target: Tensor) -> Tensor:
    good = ((output.disparity_px.detach() - target).abs() < GOOD_PX).float()
    return functional.binary_cross_entropy_with_logits(output.certainty_logit, good, reduction="none")
