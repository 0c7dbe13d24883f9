"""Guided upsampling from cells of 4x2 px to pixels, and the two orders in which pixels are kept."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from roma_device.runtime.tensors.cells import COLUMNS as COLUMNS
from roma_device.runtime.tensors.cells import ROWS as ROWS

NEIGHBOURS = 5
"""What each pixel of a cell is mixed from."""

LEAST_WEIGHT = 1e-3
"""Added to the sum of a pixel's weights, so that it never is 0."""


def from_parts(parts: Tensor) -> Tensor:
    """(B, 8, H/4, W/2) -> (B, 1, H, W): channel 2i + j is row i, column j of each cell."""
    batch, _, height, width = parts.shape
    cells = parts.view(batch, ROWS, COLUMNS, height, width)
    return cells.permute(0, 3, 1, 4, 2).reshape(batch, 1, ROWS * height, COLUMNS * width)


def to_parts(image: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 8, H/4, W/2): channel 2i + j is row i, column j of each cell."""
    batch, _, height, width = image.shape
    cells = image.view(batch, height // ROWS, ROWS, width // COLUMNS, COLUMNS)
    return cells.permute(0, 2, 4, 1, 3).reshape(batch, ROWS * COLUMNS, height // ROWS, width // COLUMNS)


def upsampled(cell: Tensor, guide: Tensor) -> Tensor:
    """(B, 1, H/4, W/2) -> (B, 8, H/4, W/2): convex combinations of the cell and its four neighbours.

    As in RAFT (ECCV 2020), but the weights are sigmoids over their sum: of limited range, which 8 and 16 bits hold
    better than exponentials, and summed for all pixels of the cell at once.
    """
    weights = torch.sigmoid(guide)
    steps = torch.cat([cross(cell) - cell] * (ROWS * COLUMNS), 1)
    return cell + _pixel_sums(weights * steps) / (_pixel_sums(weights) + LEAST_WEIGHT)


def _pixel_sums(x: Tensor) -> Tensor:
    """Over the neighbours of each pixel: (B, 8 * 5, H, W) -> (B, 8, H, W); at export a convolution with ones."""
    pixels = ROWS * COLUMNS
    if not torch.onnx.is_in_onnx_export():
        batch, _, height, width = x.shape
        return x.reshape(batch, pixels, NEIGHBOURS, height, width).sum(2)
    return functional.conv2d(x, torch.block_diag(*[torch.ones(1, NEIGHBOURS)] * pixels).view(pixels, -1, 1, 1))


def cross(x: Tensor) -> Tensor:
    """Each cell of (B, 1, H, W), then its left, right, upper and lower neighbour as (B, 5, H, W)."""
    left, right = torch.cat([x[..., :1], x[..., :-1]], 3), torch.cat([x[..., 1:], x[..., -1:]], 3)
    upper, lower = torch.cat([x[..., :1, :], x[..., :-1, :]], 2), torch.cat([x[..., 1:, :], x[..., -1:, :]], 2)
    return torch.cat([x, left, right, upper, lower], 1)
