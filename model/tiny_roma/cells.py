"""Cells of the coarse maps: where they lie, what lies between them, and which of them are candidates for a match."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from model.base.layers import pad_zeros

from .config import Sampling

Array = npt.NDArray[Any]

FAR = -1e4
"""Logit of a candidate that does not exist."""


def centres(count: int) -> Array:
    return np.asarray((2 * np.arange(count) + 1) / count - 1, np.float32)


@lru_cache(maxsize=16)
def cell_grid(height: int, width: int) -> Tensor:
    """(H W, 2): x and y of the cells, row by row."""
    return pairs(centres(width), centres(height))


def pairs(x: Array, y: Array) -> Tensor:
    """(len(y) len(x), 2), row by row. Made by numpy, so that an exported graph holds the numbers and no recipe."""
    return torch.from_numpy(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32))


@dataclass(frozen=True, slots=True)
class Candidates:
    """The cells of B that each cell of A was compared with."""

    logits: Tensor  # (B, h, w, K), FAR where there is none
    origin: Tensor  # (1, 2, h, w): from where the offsets count
    offsets: Tensor  # (K, 2)

    def shares(self, position: Tensor) -> Tensor:
        """(B, 2, h, w), where each cell lies in B -> (B, h, w, K), how much of that each candidate is.

        Linear between the four nearest cells, so that the mean of their centres is the position; the sum is less
        than 1 where some of the four are no candidates.
        """
        height, width = map(int, position.shape[2:])
        relative = position - self.origin
        x, y = (
            (1 - (relative[:, axis, :, :, None] - self.offsets[:, axis]).abs() * (count / 2)).clamp(min=0)
            for axis, count in enumerate((width, height))
        )
        return x * y * (self.logits > FAR / 2)


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
