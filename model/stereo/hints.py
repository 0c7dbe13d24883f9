"""Occlusion and context hints: what the disparity found so far says of each cell, for the second stage.

The same in numpy for the device is in ``runtime/cascade/warp.py``; a test holds the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from roma_device.runtime.cascade.warp import (
    BORDER_PX,
    CONTEXT_PX,
    FAR_AWAY_PX,
    HIDDEN_PX,
    MEAN_CELLS,
    MOST_CONTEXT,
    SAMPLE_ROW,
)

from .cells import COLUMNS, ROWS


def warp(right: Tensor, disparity_px: Tensor) -> Tensor:
    """(B, 1, H, W) twice -> the right image resampled at the match of each left pixel; its borders repeat."""
    _, _, height, width = right.shape
    column = torch.arange(width, device=right.device) - disparity_px[:, 0]
    row = torch.arange(height, device=right.device).view(-1, 1).expand_as(column)
    grid = torch.stack([2 * column / (width - 1) - 1, 2 * row / (height - 1) - 1], -1)
    return functional.grid_sample(right, grid, align_corners=True, padding_mode="border")


def cell_disparities(disparity_px: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 2, H/4, W/2): that of the cells, and what the row holds beside hidden ones."""
    cells_px = cell_disparity(disparity_px)
    return torch.cat([cells_px, _filled(cells_px)], 1)


def cell_disparity(disparity_px: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 1, H/4, W/2): that of one pixel; a mean would invent depths at edges."""
    return disparity_px[..., SAMPLE_ROW::ROWS, ::COLUMNS]


def hints(cells_px: Tensor, certainty: Tensor) -> Tensor:
    """Disparity and certainty of the cells (B, 1, H/4, W/2) -> (B, 4, H/4, W/2).

    Disparity less its local mean; how far inside the right image the match lies; how far it lies behind the edge of a
    nearer surface, negative where that hides it; the certainty.
    """
    context = ((cells_px - _local_mean(cells_px)) / CONTEXT_PX).clamp(-MOST_CONTEXT, MOST_CONTEXT)
    match_px = COLUMNS * torch.arange(cells_px.shape[-1], device=cells_px.device) - cells_px
    inside = (match_px / BORDER_PX).clamp(-1, 1)
    seen = ((_first_to_the_right(match_px) - match_px) / HIDDEN_PX).clamp(-1, 1)
    return torch.cat([context, inside, seen, certainty], 1)


def _local_mean(x: Tensor) -> Tensor:
    reach = MEAN_CELLS // 2
    padded = functional.pad(x, (reach, reach, reach, reach), mode="replicate")
    return functional.avg_pool2d(functional.avg_pool2d(padded, (1, MEAN_CELLS), 1), (MEAN_CELLS, 1), 1)


def _filled(cells_px: Tensor) -> Tensor:
    """Cells that the right camera does not see have the smaller of the nearest seen disparities in the row.

    What hides is nearer than what is hidden. A row of which nothing is seen stays as it is.
    """
    match_px = COLUMNS * torch.arange(cells_px.shape[-1], device=cells_px.device) - cells_px
    is_seen = (match_px >= 0) & (_first_to_the_right(match_px) >= match_px)
    known = torch.where(is_seen, cells_px, torch.inf)
    on_left, on_right = _nearest_on_left(known, is_seen), _nearest_on_left(known.flip(-1), is_seen.flip(-1)).flip(-1)
    filled = torch.minimum(on_left, on_right)
    return torch.where(filled.isfinite(), filled, cells_px)


def _nearest_on_left(values: Tensor, is_seen: Tensor) -> Tensor:
    """Each cell's own value where it is seen, else the last seen one before it in the row, else inf."""
    column = torch.where(is_seen, torch.arange(values.shape[-1], device=values.device), 0)
    return values.gather(-1, column.cummax(-1).values)


def _first_to_the_right(match_px: Tensor) -> Tensor:
    """The leftmost match of all cells farther right in the same row: one that lies left of the cell's own hides it."""
    least = match_px.flip(-1).cummin(-1).values.flip(-1)
    return functional.pad(least[..., 1:], (0, 1), value=FAR_AWAY_PX)
