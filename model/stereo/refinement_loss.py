"""The training objective of the second stage: robust regression, cross-entropy of the offsets, certainty."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from model.data.stereo_pairs import PairBatch

from .cells import COLUMNS, to_parts
from .hints import cell_disparity
from .loss import GOOD_PX, weighted_mean
from .refinement import REACH, RefinementOutput

KNEE_PX = 0.5
"""Error from which on the loss grows by the root alone."""
HIDDEN_WEIGHT = 1.0
"""Of pixels that the right camera does not see."""


def refinement_loss(output: RefinementOutput, found_px: Tensor, truth: PairBatch) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum of its parts, and the parts for the log; ``found_px`` (B, 1, H/4, W/2) is what was refined."""
    target_px = truth.disparity_px[:, None]
    weight = torch.where(truth.occluded[:, None], HIDDEN_WEIGHT, 1.0)
    cells_px, cell_weight = cell_disparity(target_px), cell_disparity(weight)
    seen = ~cell_disparity(truth.occluded[:, None])
    error_px = output.parts_px - to_parts(target_px)
    good = (error_px.detach().abs() < GOOD_PX).float().mean(1, keepdim=True)
    parts = {
        "fine": weighted_mean(_robust(error_px), to_parts(weight)),
        "cell": 0.5 * weighted_mean(_robust(output.cell_px - cells_px), cell_weight),
        "offset": 0.5 * _offset_loss(output.logits, cells_px - found_px, seen),
        "certainty": 0.5 * functional.binary_cross_entropy_with_logits(output.trust_logit, good),
    }
    return sum(parts.values(), torch.zeros(())), {name: float(value.detach()) for name, value in parts.items()}


def _robust(error_px: Tensor) -> Tensor:
    """Quadratic below the knee, the root of the error far above (RoMa, CVPR 2024)."""
    result: Tensor = 3 * ((error_px * error_px + KNEE_PX**2).sqrt().sqrt() - KNEE_PX**0.5)
    return result


def _offset_loss(logits: Tensor, offset_px: Tensor, seen: Tensor) -> Tensor:
    """Cross-entropy against a target that is split linearly between the two offsets around the true one."""
    position = offset_px / COLUMNS + REACH
    usable = seen & (position > 0) & (position < 2 * REACH)
    log_p = functional.log_softmax(logits, 1)
    lower = position.clamp(0, 2 * REACH - 1e-3).floor()
    upper_share = (position - lower).clamp(0, 1)
    low, high = log_p.gather(1, lower.long()), log_p.gather(1, lower.long() + 1)
    return weighted_mean(-((1 - upper_share) * low + upper_share * high), usable.float())
