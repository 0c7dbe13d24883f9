"""Features of B at positions in [-1, 1], bilinear, zero outside: two ways that give the same."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from model.base.layers import pad_zeros

from .config import Sampling


def sample(features: Tensor, position: Tensor, how: Sampling = "grid_sample") -> Tensor:
    """(B, C, h, w) at (B, 2, h', w') -> (B, C, h', w')."""
    if how == "gather":
        return gather_bilinear(features, position)
    return functional.grid_sample(
        features, position.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros", align_corners=False
    )


def gather_bilinear(features: Tensor, position: Tensor) -> Tensor:
    """The four neighbours by gathers with flat indices, which every NPU of the family lists.

    The features get a border of zeros, so that no neighbour needs a mask.
    """
    height, width = map(int, features.shape[2:])
    padded = pad_zeros(features, (1, 2), (1, 2))
    x = ((position[:, :1] + 1) * (width / 2) + 0.5).clamp(0, width + 1)  # cells of the padded features
    y = ((position[:, 1:] + 1) * (height / 2) + 0.5).clamp(0, height + 1)
    left, top = x.to(torch.int32), y.to(torch.int32)  # truncation is floor here: nothing is negative
    across, down = x - left.to(x.dtype), y - top.to(y.dtype)
    first = top * (width + 3) + left
    a, b, c, d = (_at(padded, first + step) for step in (0, 1, width + 3, width + 4))
    upper, lower = a + (b - a) * across, c + (d - c) * across
    return upper + (lower - upper) * down


def _at(features: Tensor, index: Tensor) -> Tensor:
    """(B, C, h, w) at flat indices (B, 1, h', w') -> (B, C, h', w')."""
    batch, channels, height, width = map(int, features.shape)
    count = int(index.shape[2]) * int(index.shape[3])
    flat, flat_index = features.reshape(batch, channels, height * width), index.reshape(batch, count)
    if torch.onnx.is_in_onnx_export():
        picked = flat.index_select(2, flat_index.reshape(count))  # a Gather with indices of one dimension
    else:
        picked = flat.gather(2, flat_index.long()[:, None].expand(-1, channels, -1))
    return picked.reshape(batch, channels, int(index.shape[2]), int(index.shape[3]))
