"""Parts that TinyRoMa is made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import Normalization, Upsampling

VARIANCE_FLOOR = 1e-5
"""Added to the variance of grey values in [0, 1]."""


def basic(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm without scale and shift (folded at export), ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, affine=False),
        nn.ReLU(),
    )


def matcher(inputs: int, width: int) -> nn.Sequential:
    """Four layers and a linear one -> dx, dy in input px and the change of the certainty's logit."""
    return nn.Sequential(
        basic(inputs, width), *(basic(width, width) for _ in range(3)), nn.Conv2d(width, 3, 1, bias=True)
    )


class Normalize(nn.Module):
    """Grey in [0, 1] -> mean 0, variance 1, over each image by itself: (B, 1, H, W).

    All but "mean_std" divide by ``sqrt(var + 1e-5)`` with the biased variance and are equal; "mean_std" divides
    by the unbiased deviation without a floor, as one writes it down first.
    """

    def __init__(self, kind: Normalization) -> None:
        super().__init__()
        self.kind = kind
        self.instance = nn.InstanceNorm2d(1, eps=VARIANCE_FLOOR)

    @torch.no_grad()
    def forward(self, grey: Tensor) -> Tensor:
        if self.kind == "instance":
            return self.instance(grey)  # type: ignore[no-any-return]
        if self.kind == "batch":
            return _batch_norm(grey)
        if self.kind == "mean_std":
            return _mean_std(grey)
        return grey


def _mean_std(grey: Tensor) -> Tensor:
    """By means alone: OpenCV's classic engine crashes on what torch makes of ``std`` at export."""
    centred = grey - grey.mean((2, 3), keepdim=True)
    count = int(grey.shape[2]) * int(grey.shape[3])
    return centred / torch.sqrt((centred * centred).mean((2, 3), keepdim=True) * (count / (count - 1)))


def _batch_norm(grey: Tensor) -> Tensor:
    """Batch norm with the statistics of its input; images go in as channels, which keeps them apart."""
    count = int(grey.shape[0])
    channels = grey if count == 1 else grey.transpose(0, 1)
    normal = functional.batch_norm(channels, None, None, training=True, eps=VARIANCE_FLOOR)
    return normal if count == 1 else normal.transpose(0, 1)


class Enlarge(nn.Module):
    """Bilinear enlargement by 2 or 4 (cell centres at halves), or what learns from there."""

    def __init__(self, kind: Upsampling, channels: int, factor: int) -> None:
        super().__init__()
        self.kind, self.factor, self.channels = kind, factor, channels
        weight = tent(factor).expand(channels, 1, -1, -1).clone()
        if kind == "learned":
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("weight", weight, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "resize":
            return functional.interpolate(x, scale_factor=self.factor, mode="bilinear", align_corners=False)
        if self.kind == "fixed":
            return self._transposed(repeat_border(x), self.factor + self.factor // 2)
        return self._transposed(x, self.factor // 2)

    def _transposed(self, x: Tensor, crop: int) -> Tensor:
        return functional.conv_transpose2d(x, self.weight, stride=self.factor, padding=crop, groups=self.channels)


def tent(factor: int) -> Tensor:
    """(1, 1, 2 factor, 2 factor): the weights of bilinear enlargement."""
    distance = (torch.arange(2 * factor) - (factor - 0.5)).abs() / factor
    return ((1 - distance)[:, None] * (1 - distance)[None])[None, None]


def repeat_border(x: Tensor) -> Tensor:
    """One more cell on every side, by slices: the NPU's Pad knows constants alone."""
    x = torch.cat([x[..., :1], x, x[..., -1:]], 3)
    return torch.cat([x[..., :1, :], x, x[..., -1:, :]], 2)


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
