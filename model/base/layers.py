"""Layers that both NPU families compile (3x3 convolutions, ReLU, static slices), and the feature pyramid of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

PEAK_SLOPE = 6.0
"""A candidate counts as a peak if its probability is more than 1 - 1/6 of the best one's."""


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int | tuple[int, int] = 1) -> nn.Sequential:
    """Convolution, batch norm (folded at export) and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
    )


class Residual(nn.Module):
    """Residual block: two 3x3 convolutions around a shortcut, which alone counts at the start of the training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )
        nn.init.zeros_(self.body.get_parameter("2.weight"))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


def double(x: Tensor) -> Tensor:
    """Bilinear upsampling by two (pixel centres at half-integers)."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def single(x: Tensor) -> Tensor:
    """float32; an exported graph gets no cast where nothing changes."""
    return x if x.dtype == torch.float32 else x.float()


def unit(x: Tensor) -> Tensor:
    """Normalize over channels to length 1."""
    return x / torch.sqrt(channel_sum(x * x) + 1e-4)


def channel_sum(x: Tensor, copies: int = 1) -> Tensor:
    """(B, C, H, W) -> (B, 1, H, W); a convolution at export, which every engine and the NPU do fast.

    That convolution gives ``copies`` equal channels, for OpenCV 5 cannot broadcast what a convolution gave.
    """
    if torch.onnx.is_in_onnx_export():
        return functional.conv2d(x, torch.ones(copies, int(x.shape[1]), 1, 1))
    return x.sum(1, keepdim=True)


def repeat_border(x: Tensor) -> Tensor:
    """One more cell on every side, by slices: the NPU's Pad knows constants alone."""
    x = torch.cat([x[..., :1], x, x[..., -1:]], 3)
    return torch.cat([x[..., :1, :], x, x[..., -1:, :]], 2)


def around(x: Tensor) -> Tensor:
    """The 3x3 neighbours of each cell of (B, 1, H, W) as (B, 9, H, W); the border repeats its own."""
    x = repeat_border(x)
    return torch.cat([x[..., i : i - 2 or None, j : j - 2 or None] for i in range(3) for j in range(3)], 1)


class _PadZeros(torch.autograd.Function):
    """A single Pad node, where torch would export shape arithmetic."""

    @staticmethod
    def forward(context: Any, x: Tensor, pads: tuple[int, ...]) -> Tensor:
        context.pads = pads
        return functional.pad(x, pads)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return functional.pad(gradient, tuple(-count for count in context.pads)), None

    @staticmethod
    def symbolic(graph: Any, x: Any, pads: tuple[int, ...]) -> Any:
        left, right, top, bottom, front, back = pads
        value = torch.tensor([0, front, top, left, 0, back, bottom, right])
        return graph.op("Pad", x, graph.op("Constant", value_t=value), mode_s="constant")


def pad_zeros(x: Tensor, columns: tuple[int, int] = (0, 0), rows: tuple[int, int] = (0, 0), more: int = 0) -> Tensor:
    """Zeros around (B, C, H, W), and ``more`` channels of zeros after the last."""
    padded: Tensor = _PadZeros.apply(x, (*columns, *rows, 0, more))
    return padded


def channel_max(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 1, H, W); at export a tree of Max nodes: OpenCV cannot ReduceMax at open size."""
    if not torch.onnx.is_in_onnx_export():
        return x.amax(1, keepdim=True)
    while (count := int(x.shape[1])) > 1:
        half = count // 2
        rest = [x[:, 2 * half :]] if count % 2 else []
        x = torch.cat([torch.maximum(x[:, :half], x[:, half : 2 * half]), *rest], 1)
    return x


def around_peak(relative: Tensor, reach: int) -> Tensor:
    """1 within ``reach`` candidates of the most probable one, 0 far from it: (B, C, H, W).

    ``relative`` is the probability over that of the best candidate. Candidates that are nearly as probable as the
    best count as peaks too, the more the nearer they come:
    a hard choice would make the result jump with the last bit of the probabilities.
    The expected position over such a window stays on one surface where two are possible; over all
    candidates it would lie in the empty space between them.
    """
    count = int(relative.shape[1])
    peak = functional.relu(1 - PEAK_SLOPE * (1 - relative))
    if not torch.onnx.is_in_onnx_export():
        padded = functional.pad(peak, (0, 0, 0, 0, reach, reach))
        return sum((padded[:, k : k + count] for k in range(2 * reach + 1)), torch.zeros_like(peak)).clamp(max=1)
    index = torch.arange(count, device=relative.device)
    band = ((index[:, None] - index[None]).abs() <= reach).float().view(count, count, 1, 1)
    return functional.conv2d(peak, band).clamp(max=1)


def interleave(x: Tensor) -> Tensor:
    """(B, 4, H, W) -> (B, 1, 2H, 2W): channel 2i + j becomes row i, column j of each cell.

    A transposed convolution with unit weights: OpenCV 4.10 cannot resize DepthToSpace, and the NPU
    compiler knows only one of its two orders.
    """
    return functional.conv_transpose2d(x, torch.eye(4, dtype=x.dtype, device=x.device).view(4, 1, 2, 2), stride=2)


def row_correlation(left: Tensor, right: Tensor, candidates: int) -> Tensor:
    """Correlation along rows: similarity of each left cell with the right cells 0..candidates-1 steps to its left.

    (B, C, H, W) twice -> (B, candidates, H, W). At export one slice, product and sum per candidate, which
    needs no shape arithmetic and so runs at any size on every engine.
    """
    if not torch.onnx.is_in_onnx_export():
        return row_products(left, right, candidates).flip(1)
    padded = pad_zeros(right, (candidates - 1, 0))
    shifted = (padded[..., candidates - 1 - k : -k or None] for k in range(candidates))
    return torch.cat([channel_sum(left * columns) for columns in shifted], 1)


def row_products(left: Tensor, right: Tensor, candidates: int) -> Tensor:
    """``row_correlation`` with the farthest cell first, by one matrix product per row.

    Of all products of a row those on a diagonal band are wanted. With p columns to match with and p + 1 rows, the
    product read as p rows of p + 1 columns is moved by one more column in each row: the band stands upright.
    """
    rows = pad_zeros(left, (0, candidates)).permute(0, 2, 3, 1)
    columns = pad_zeros(right, (candidates - 1, 0)).permute(0, 2, 1, 3)
    batch, height, width = left.shape[0], left.shape[2], left.shape[3]
    wide = width + candidates - 1
    upright = torch.matmul(rows, columns).reshape(batch, height, wide, wide + 1)
    return upright[:, :, :width, :candidates].permute(0, 3, 1, 2)


class Features(nn.Module):
    """Feature pyramid of one image; both images pass through the same weights."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth, thirtysecond = widths
        self.to_quarter = nn.Sequential(conv(1, half, 3, 2), conv(half, quarter, 3, 2), conv(quarter, quarter))
        self.to_eighth = nn.Sequential(conv(quarter, eighth, 3, 2), conv(eighth, eighth))
        self.to_sixteenth = nn.Sequential(conv(eighth, sixteenth, 3, 2), conv(sixteenth, sixteenth))
        self.to_thirtysecond = nn.Sequential(conv(sixteenth, thirtysecond, 3, 2), conv(thirtysecond, thirtysecond))
        self.up_sixteenth = conv(thirtysecond, sixteenth, 1)
        self.up_eighth = conv(sixteenth, eighth, 1)
        self.up_quarter = conv(eighth, quarter, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """At 1/4, 1/8 and 1/16."""
        return self.from_half(self.to_quarter[0](image))

    def from_half(self, half: Tensor) -> tuple[Tensor, ...]:
        """The same from what the first convolution gives at 1/2."""
        quarter = self.to_quarter[1:](half)
        eighth = self.to_eighth(quarter)
        sixteenth = self.to_sixteenth(eighth)
        sixteenth = sixteenth + double(self.up_sixteenth(self.to_thirtysecond(sixteenth)))
        eighth = eighth + double(self.up_eighth(sixteenth))
        return quarter + double(self.up_quarter(eighth)), eighth, sixteenth
