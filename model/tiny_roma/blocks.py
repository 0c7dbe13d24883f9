"""Parts that TinyRoMa is made of, and its features: XFeat's backbone (Potje et al., CVPR 2024), widths to choose."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.base.layers import repeat_border

from .config import Normalization, TinyRomaConfig, Upsampling

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
    """Bilinear enlargement by 2 or 4 (cell centres at halves), or what learns from there.

    All repeat the border: without, features fade in the outer cells, which a softmax over all cells spreads widely.
    """

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
        crop = self.factor + self.factor // 2
        return functional.conv_transpose2d(
            repeat_border(x), self.weight, stride=self.factor, padding=crop, groups=self.channels
        )


def tent(factor: int) -> Tensor:
    """(1, 1, 2 factor, 2 factor): the weights of bilinear enlargement."""
    distance = (torch.arange(2 * factor) - (factor - 0.5)).abs() / factor
    return ((1 - distance)[:, None] * (1 - distance)[None])[None, None]


class Backbone(nn.Module):
    """Normalized grey (B, 1, H, W) -> fine features at 1/4 and coarse features at 1/8.

    The names of the parts are those of the published state dict.
    """

    def __init__(self, config: TinyRomaConfig) -> None:
        super().__init__()
        first, second, third = config.stem_widths
        fine, coarse, deep = config.fine_features, config.coarse_features, config.deep_features
        self.skip1 = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(1, fine, 1))
        self.block1 = nn.Sequential(
            basic(1, first), basic(first, second, stride=2), basic(second, third), basic(third, fine, stride=2)
        )
        self.block2 = nn.Sequential(basic(fine, fine), basic(fine, fine))
        self.block3 = nn.Sequential(basic(fine, coarse, stride=2), basic(coarse, coarse), basic(coarse, coarse, 1))
        self.block4 = nn.Sequential(basic(coarse, coarse, stride=2), basic(coarse, coarse), basic(coarse, coarse))
        self.block5 = nn.Sequential(
            basic(coarse, deep, stride=2), basic(deep, deep), basic(deep, deep), basic(deep, coarse, 1)
        )
        self.block_fusion = nn.Sequential(
            basic(coarse, coarse), basic(coarse, coarse), nn.Conv2d(coarse, coarse, 1, bias=True)
        )
        self.from_sixteenth = Enlarge(config.upsampling, coarse, 2)
        self.from_thirtysecond = Enlarge(config.upsampling, coarse, 4)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.block2(self.block1(image) + self.skip1(image))
        eighth = self.block3(fine)
        sixteenth = self.block4(eighth)
        thirtysecond = self.block5(sixteenth)
        fused = eighth + self.from_sixteenth(sixteenth) + self.from_thirtysecond(thirtysecond)
        return fine, self.block_fusion(fused)
