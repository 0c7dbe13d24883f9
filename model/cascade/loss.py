"""Training loss of the cascade: cross-entropies, robust end-point error and certainty.

The global match learns by the cross-entropy of LoFTR (Sun et al., CVPR 2021), each refinement by the cross-entropy
over its window and by the distance of its result; certainties learn whether that distance is small.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from model.data.two_view_pairs import TwoViewBatch
from model.stereo.loss import robust, weighted_mean
from model.tiny_roma.loss import at_cells

from .global_matching import GlobalMatch
from .network import STRIDES, CascadeOutput
from .refine import RefinedMatch

GOOD = 0.25
"""A certainty of 1 means: the match is less than this times the stride off: 1 px in the end."""

KNEE = 16
"""The distance counts by its square up to the stride over this, by its root beyond."""

SPREAD_CELLS = 0.35
"""Standard deviation of what a window's probabilities are to be."""

CHOICE_CELLS, REACH_CELLS = 0.8, 1.5
"""A window learns to choose where some candidate is as near to the truth as the first, and to move from there where one
is as near as the second: it cannot reach what is farther."""

WEIGHTS = {"everywhere": 1.0, "window": 0.5, "distance": 0.25, "certainty": 0.5}


def cascade_loss(output: CascadeOutput, truth: TwoViewBatch) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum of its parts, and the parts for the log."""
    targets = {stride: at_cells(truth, stride) for stride in STRIDES}
    parts = {"everywhere": _global_match(output.global_match, output.stages[0], *targets[STRIDES[0]])}
    for number, stage in enumerate(output.stages):
        position, known = targets[stage.stride]
        parts |= {f"{name}{number}": part for name, part in _refined(stage, position, known).items()}
    total = torch.zeros((), device=truth.a.device)
    for name, part in parts.items():
        total = total + WEIGHTS[name.rstrip("0123456789")] * part
    return total, {name: float(part.detach()) for name, part in parts.items()}


def _global_match(found: GlobalMatch, stage: RefinedMatch, position: Tensor, known: Tensor) -> Tensor:
    """From A over the cells of B, and from B over the cells of A, towards the four cells around the match."""
    batch, height, width, _ = found.logits.shape
    place = stage.grid.own + stage.grid.flow(position)  # cells of B
    limit = torch.tensor([width - 1.001, height - 1.001], device=place.device).view(1, 2, 1, 1)
    place = place.clamp(min=0).minimum(limit)
    first = place.floor()
    share = place - first
    index = (first[:, 1] * width + first[:, 0]).long()
    from_a = functional.log_softmax(found.logits, 3)
    from_b = functional.log_softmax(found.logits.reshape(batch, height * width, -1), 1).view_as(found.logits)
    both = from_a + from_b
    loss = torch.zeros_like(share[:, 0])
    for down in (0, 1):
        for across in (0, 1):
            weight = (share[:, 0] if across else 1 - share[:, 0]) * (share[:, 1] if down else 1 - share[:, 1])
            log_p = both.gather(3, (index + down * width + across)[..., None])[..., 0]
            loss = loss - weight * log_p
    return weighted_mean(loss / 2, known.float())


def _refined(stage: RefinedMatch, position: Tensor, known: Tensor) -> dict[str, Tensor]:
    true_flow = stage.grid.flow(position)
    x, y = stage.candidates
    across, down = x - true_flow[:, :1], y - true_flow[:, 1:]
    squares = across * across + down * down
    wanted = functional.softmax(-squares / (2 * SPREAD_CELLS**2), 1)
    nearest = squares.amin(1)
    choice, in_reach = (known & (nearest < limit**2) for limit in (CHOICE_CELLS, REACH_CELLS))
    window = -(wanted * functional.log_softmax(stage.logits, 1)).sum(1)
    distance_px = stage.stride * ((stage.flow - true_flow) ** 2).sum(1).add(1e-6).sqrt()
    good = (known & (distance_px.detach() < GOOD * stage.stride)).float()
    certainty = functional.binary_cross_entropy_with_logits(stage.trust_logit[:, 0], good)
    return {
        "window": weighted_mean(window, choice.float()),
        "distance": weighted_mean(robust(distance_px * KNEE / stage.stride), in_reach.float()),
        "certainty": certainty,
    }
