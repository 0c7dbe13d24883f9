"""Building blocks that both NPU families compile: 3x3 convolutions, ReLU, static slices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

PEAK_SLOPE = 6.0
"""A candidate counts as a peak if its probability is more than 1 - 1/6 of the best one's."""


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm (folded at export) and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
    )


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


def double(x: Tensor) -> Tensor:
    """Bilinear upsampling by two (pixel centres at half-integers)."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def unit(x: Tensor) -> Tensor:
    """Normalize over channels to length 1."""
    return x / torch.sqrt(channel_sum(x * x) + 1e-4)


def channel_sum(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 1, H, W); a convolution at export, which every engine and the NPU do fast."""
    if torch.onnx.is_in_onnx_export():
        return functional.conv2d(x, torch.ones(1, int(x.shape[1]), 1, 1))
    return x.sum(1, keepdim=True)


def around(x: Tensor) -> Tensor:
    """The 3x3 neighbours of each cell of (B, 1, H, W) as (B, 9, H, W); the border repeats its own."""
    x = torch.cat([x[..., :1], x, x[..., -1:]], 3)
    x = torch.cat([x[..., :1, :], x, x[..., -1:, :]], 2)
    return torch.cat([x[..., i : i - 2 or None, j : j - 2 or None] for i in range(3) for j in range(3)], 1)


class PadLeft(torch.autograd.Function):
    """Zeros before the first column: a single Pad node, where torch would export shape arithmetic."""

    @staticmethod
    def forward(context: Any, x: Tensor, columns: int) -> Tensor:
        context.columns = columns
        return functional.pad(x, (columns, 0))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[..., context.columns :], None

    @staticmethod
    def symbolic(graph: Any, x: Any, columns: int) -> Any:
        pads = graph.op("Constant", value_t=torch.tensor([0, 0, 0, columns, 0, 0, 0, 0]))
        return graph.op("Pad", x, pads, mode_s="constant")


def channel_max(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 1, H, W); at export a tree of Max nodes: OpenCV cannot ReduceMax at open size."""
    if not torch.onnx.is_in_onnx_export():
        return x.amax(1, keepdim=True)
    while (count := int(x.shape[1])) > 1:
        half = count // 2
        rest = [x[:, 2 * half :]] if count % 2 else []
        x = torch.cat([torch.maximum(x[:, :half], x[:, half : 2 * half]), *rest], 1)
    return x


def around_peak(probability: Tensor, reach: int) -> Tensor:
    """1 within ``reach`` candidates of the most probable one, 0 far from it: (B, C, H, W).

    Candidates that are nearly as probable as the best count as peaks too, the more the nearer they come:
    a hard choice would make the result jump with the last bit of the probabilities.
    The expected position over such a window stays on one surface where two are possible; over all
    candidates it would lie in the empty space between them.
    """
    count = int(probability.shape[1])
    index = torch.arange(count, device=probability.device)
    band = ((index[:, None] - index[None]).abs() <= reach).float().view(count, count, 1, 1)
    peak = functional.relu(1 - PEAK_SLOPE * (1 - probability / channel_max(probability)))
    return functional.conv2d(peak, band).clamp(max=1)


def interleave(x: Tensor) -> Tensor:
    """(B, 4, H, W) -> (B, 1, 2H, 2W): channel 2i + j becomes row i, column j of each cell.

    A transposed convolution with unit weights: OpenCV 4.10 cannot resize DepthToSpace, and the NPU
    compiler knows only one of its two orders.
    """
    return functional.conv_transpose2d(x, torch.eye(4, dtype=x.dtype, device=x.device).view(4, 1, 2, 2), stride=2)


def row_correlation(left: Tensor, right: Tensor, candidates: int) -> Tensor:
    """Similarity of each left cell with the right cells 0..candidates-1 steps to its left.

    (B, C, H, W) twice -> (B, candidates, H, W). In training one matrix product per row and a view
    of its diagonal band; at export one slice, product and sum per candidate, which needs no
    shape arithmetic and so runs at any size on every engine.
    """
    padded: Tensor = PadLeft.apply(right, candidates - 1)
    if torch.onnx.is_in_onnx_export():
        shifted = (padded[..., candidates - 1 - k : -k or None] for k in range(candidates))
        return torch.cat([channel_sum(left * one) for one in shifted], 1)
    product = torch.einsum("bchx,bchy->bhxy", left, padded)
    return _diagonals(product, candidates)


def _diagonals(product: Tensor, candidates: int) -> Tensor:
    """band[b, k, h, x] = product[b, h, x, x + candidates - 1 - k]."""
    batch, height, width, padded = product.shape
    band = product.contiguous().as_strided(
        (batch, height, width, candidates), (height * width * padded, width * padded, padded + 1, 1)
    )
    return band.flip(-1).permute(0, 3, 1, 2)
