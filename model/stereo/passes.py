"""Iterative refinement: the second stage run several times, each time on the right image warped by its last result."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .hints import cell_disparities, hints, warp
from .network import doubled_by_surface
from .refinement import Refinement, RefinementOutput


@dataclass(frozen=True, slots=True)
class Found:
    """Disparity so far, and what is known of its certainty."""

    disparity_px: Tensor  # (B, 1, H, W)
    certainty: Tensor  # (B, 1, H/4, W/2)


def found_first(disparity_px: Tensor, certainty: Tensor) -> Found:
    """From the first stage, whose certainty (B, 1, H/4, W/4) has half as many columns as there are cells."""
    return Found(disparity_px, functional.interpolate(certainty, scale_factor=(1, 2), mode="nearest"))


def refined(network: Refinement, left: Tensor, right: Tensor, found: Found) -> tuple[RefinementOutput, Tensor]:
    """One pass on normalized images, and the disparity of the cells that it started from."""
    both_px = cell_disparities(found.disparity_px)
    known = hints(both_px[:, :1], found.certainty)
    return network.infer(left, warp(right, found.disparity_px), both_px, known), both_px[:, :1]


@torch.no_grad()
def after_passes(network: Refinement, left: Tensor, right: Tensor, found: Found, passes: int) -> Found:
    """What is found after so many more passes; batch norm as on the device, also while training."""
    was_training = network.training
    network.eval()
    for _ in range(passes):
        output, _ = refined(network, left, right, found)
        found = Found(output.disparity_px.clamp(min=0), torch.sigmoid(output.trust_logit))
    network.train(was_training)
    return found


def enlarged(found: Found) -> Found:
    """What was found on images of half the size, for the full one; no pixel leaves its nearest neighbour's surface."""
    certainty = functional.interpolate(found.certainty, scale_factor=2, mode="nearest")
    return Found(2 * doubled_by_surface(found.disparity_px), certainty)
