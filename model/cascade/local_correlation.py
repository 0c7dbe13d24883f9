"""Local correlation (cost volume): similarities of each cell with a window around it, and what lies there.

A window of reach r has (2 r + 1)^2 cells, row by row; all results hold them as channels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from model.base.layers import channel_sum, pad_zeros

BLOCK = 12
"""Columns at most that one matrix product covers."""


def steps(reach: int) -> Tensor:
    """(2, cells, 1, 1): x and y of the window's cells from its middle."""
    around = torch.arange(-reach, reach + 1, dtype=torch.float32)
    y, x = torch.meshgrid(around, around, indexing="ij")
    return torch.stack([x, y]).reshape(2, -1, 1, 1)


def similarities(a: Tensor, b: Tensor, reach: int) -> Tensor:
    """Local correlation of each cell of ``a`` with the window around it in ``b``, over channels: (B, C, h, w) twice.

    Cells outside of ``b`` count as zeros. At export a slice, product and sum per cell of the window.
    """
    padded = pad_zeros(b, (reach, reach), (reach, reach))
    if torch.onnx.is_in_onnx_export():
        return torch.cat([channel_sum(a * shifted) for shifted in _shifted(padded, reach)], 1)
    return _banded(a, padded, 2 * reach + 1)


def window_contents(x: Tensor, reach: int) -> Tensor:
    """What lies in the window around each cell of (B, 1, h, w); the border repeats its own."""
    x = torch.cat([*[x[..., :1]] * reach, x, *[x[..., -1:]] * reach], 3)
    x = torch.cat([*[x[..., :1, :]] * reach, x, *[x[..., -1:, :]] * reach], 2)
    return torch.cat(_shifted(x, reach), 1)


def _shifted(padded: Tensor, reach: int) -> list[Tensor]:
    """By slices that count from both ends, so that they fit any size."""
    size, last = 2 * reach + 1, 2 * reach
    return [padded[..., i : i - last or None, j : j - last or None] for i in range(size) for j in range(size)]


def _banded(a: Tensor, padded: Tensor, count: int) -> Tensor:
    """By matrix products: of (B, C, h, w) with the ``count`` x ``count`` cells from the same place on in ``padded``.

    One product per row and block of columns holds what is wanted on a diagonal band. With ``count`` more rows, the
    product read in rows that are longer by one is moved by one more column in each row: the band stands upright.
    """
    batch, channels, height, width = map(int, a.shape)
    block = max(n for n in range(1, BLOCK + 1) if width % n == 0)
    wide = block + count - 1
    rows = a.permute(0, 2, 3, 1).reshape(batch, height, -1, block, channels)
    rows = functional.pad(rows, (0, 0, 0, count))
    columns = padded.unfold(3, wide, block).permute(0, 2, 3, 1, 4).contiguous()  # (B, rows, blocks, C, wide)
    products = (torch.matmul(rows, columns[:, i : i + height]) for i in range(count))
    bands = [product.reshape(*product.shape[:3], wide, wide + 1)[..., :block, :count] for product in products]
    return torch.cat(bands, 4).reshape(batch, height, width, -1).permute(0, 3, 1, 2)
