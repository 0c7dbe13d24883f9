"""TinyRoMa (Edstedt et al., RoMa, CVPR 2024): coarse matches by correlation, refined by convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.base.layers import pad_zeros, single

from .band import BandComparison
from .blocks import Backbone, Enlarge, Normalize, matcher
from .cells import sample
from .config import Fine, TinyRomaConfig
from .position import FullComparison, compare

REACH = 4
"""Cells around a tile that its inner cells depend on: one per 3x3 layer."""


def run_fine(matcher: nn.Module, inputs: Tensor, how: Fine) -> Tensor:
    """(B, C, h, w) -> (B, 3, h, w).

    "split" runs four tiles one after another, each a quarter of the map and a margin, and equals "whole"; "half"
    runs the whole map at half its width and height, which loses detail.
    """
    if how == "split":
        return _in_four(matcher, inputs)
    if how == "half":
        small = matcher(functional.avg_pool2d(inputs, 2))
        return functional.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    return matcher(inputs)  # type: ignore[no-any-return]


def _in_four(matcher: nn.Module, inputs: Tensor) -> Tensor:
    height, width = inputs.shape[2] // 2, inputs.shape[3] // 2
    upper, lower = inputs[..., : height + REACH, :], inputs[..., height - REACH :, :]
    rows = [_halves(matcher, upper, width)[..., :height, :], _halves(matcher, lower, width)[..., REACH:, :]]
    return torch.cat(rows, 2)


def _halves(matcher: nn.Module, inputs: Tensor, width: int) -> Tensor:
    left, right = matcher(inputs[..., : width + REACH]), matcher(inputs[..., width - REACH :])
    return torch.cat([left[..., :width], right[..., REACH:]], 3)


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage says, at ``stride`` input px per cell."""

    stride: int
    position: Tensor  # (B, 2, h, w) in B, in [-1, 1]
    certainty_logit: Tensor  # (B, 1, h, w)


@dataclass(frozen=True, slots=True)
class Inference:
    """What the network found on its way."""

    comparison: FullComparison | BandComparison  # of the coarse features
    stages: list[Stage]  # the coarse passes, then the fine one


class TinyRoma(nn.Module):
    """Grey pair (B, 1, H, W) twice -> where each cell of A lies in B, and the certainty.

    H and W are multiples of 32. Grey is in [0, 1], normalized already where the variant says "preprocess".
    Returns position (B, 2, h, w) in [-1, 1] (image corners: a pixel centre of W lies at ``(2 x + 1) / W - 1``) and the
    logit of the certainty (B, 1, h, w), at 1/4 of the input, or at 1/8 without a fine matcher.
    """

    def __init__(self, config: TinyRomaConfig) -> None:
        super().__init__()
        self.config = config
        self.normalize = Normalize(config.normalization)
        self.backbone = Backbone(config)
        self.coarse_matcher = matcher(2 * config.coarse_features + 2, config.matcher_width)
        if config.fine != "none":
            self.enlarge = Enlarge(config.upsampling, 3, 2)
            self.fine_matcher = matcher(2 * config.fine_features + 2, config.fine_width)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        last = self.infer(a, b).stages[-1]
        return last.position, last.certainty_logit

    def infer(self, a: Tensor, b: Tensor) -> Inference:
        """All that training supervises."""
        (fine_a, coarse_a), (fine_b, coarse_b) = self.features(a, b)
        per_px = torch.tensor([[[2 / int(a.shape[3])]], [[2 / int(a.shape[2])]], [[1.0]]], device=a.device)[None]
        comparison, position = self.compared(coarse_a, coarse_b)
        matches = pad_zeros(position, more=1)  # certainty 0
        stages = []
        for _ in range(self.config.passes):
            warped = sample(single(coarse_b), matches[:, :2], self.config.sampling)
            delta = self.coarse_matcher(torch.cat([coarse_a, warped, matches[:, :2]], 1))
            matches = matches + delta * per_px
            stages.append(Stage(8, matches[:, :2], matches[:, 2:]))
        if self.config.fine != "none":
            stages.append(self._refined(fine_a, fine_b, matches, per_px))
        return Inference(comparison, stages)

    def compared(self, a: Tensor, b: Tensor) -> tuple[FullComparison | BandComparison, Tensor]:
        """Coarse features of both images compared, and where each cell of A lies in B (B, 2, h, w)."""
        with torch.autocast(a.device.type, enabled=False):  # positions need more than bf16's 8 bits
            comparison = compare(self.config, single(a), single(b), exact=self.training)
            return comparison, comparison.position()

    def _refined(self, fine_a: Tensor, fine_b: Tensor, matches: Tensor, per_px: Tensor) -> Stage:
        """Gradients of the fine stage do not reach the coarse one, as in the release."""
        matches = self.enlarge(single(matches)).detach()
        warped = sample(single(fine_b), matches[:, :2], self.config.sampling)
        delta = run_fine(self.fine_matcher, torch.cat([fine_a, warped, matches[:, :2]], 1), self.config.fine)
        matches = matches + delta * per_px
        return Stage(4, matches[:, :2], matches[:, 2:])

    def features(self, a: Tensor, b: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Fine and coarse ones, of each image; in one pass while training, in two at export, where the batch is one."""
        if torch.onnx.is_in_onnx_export():
            return self.backbone(self.normalize(a)), self.backbone(self.normalize(b))
        fine, coarse = self.backbone(self.normalize(torch.cat([a, b])))
        return (fine[: len(a)], coarse[: len(a)]), (fine[len(a) :], coarse[len(a) :])
