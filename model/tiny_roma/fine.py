"""Ways to run the fine matcher on the features at 1/4."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import Fine

REACH = 4
"""Cells around a tile that its inner cells depend on: one per 3x3 layer."""


def run_fine(matcher: nn.Module, inputs: Tensor, how: Fine) -> Tensor:
    """(B, C, h, w) -> (B, 3, h, w).

    "split" runs four tiles one after another, each a quarter of the map and a margin, and equals "whole"; "half"
    runs the whole map at half its width and height, which loses detail.
    """
    if how == "split":
        return _in_four(matcher, inputs)
    if how == "half":
        small = matcher(functional.avg_pool2d(inputs, 2))
        return functional.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    return matcher(inputs)  # type: ignore[no-any-return]


def _in_four(matcher: nn.Module, inputs: Tensor) -> Tensor:
    height, width = inputs.shape[2] // 2, inputs.shape[3] // 2
    upper, lower = inputs[..., : height + REACH, :], inputs[..., height - REACH :, :]
    rows = [_halves(matcher, upper, width)[..., :height, :], _halves(matcher, lower, width)[..., REACH:, :]]
    return torch.cat(rows, 2)


def _halves(matcher: nn.Module, inputs: Tensor, width: int) -> Tensor:
    left, right = matcher(inputs[..., : width + REACH]), matcher(inputs[..., width - REACH :])
    return torch.cat([left[..., :width], right[..., REACH:]], 3)
