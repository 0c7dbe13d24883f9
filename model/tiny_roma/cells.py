"""Cells of the coarse maps: where they lie, and which of them are candidates for a match.

Positions are in [-1, 1], x and y; the centre of cell i of n lies at ``(2 i + 1) / n - 1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

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
