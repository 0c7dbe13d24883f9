"""The features: XFeat's backbone (Potje et al., XFeat, CVPR 2024) with widths to choose."""

from __future__ import annotations

from torch import Tensor, nn

from .blocks import Enlarge, basic
from .config import TinyRomaConfig


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
