"""The stereo network: row correlation, hourglass, expected disparity, guided upsampling, certainty.

The scheme is TinyRoMa's (correlation, expected position, convolutional refinement, certainty;
Edstedt et al., RoMa, CVPR 2024) with matching confined to the row and the cost filtered by a 2-D
hourglass as in light stereo networks (Guo et al., LightStereo, 2024).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.base.layers import (
    Features,
    Residual,
    around,
    around_peak,
    channel_max,
    channel_sum,
    conv,
    double,
    interleave,
    row_correlation,
    row_products,
    unit,
)
from model.base.variants import variant_values, variants
from roma_device.runtime.card import ModelError

PEAK_REACH = 1
"""Candidates on each side of the best one that the expected disparity takes into account."""

DETAIL = 24
"""Channels at 1/4 that describe the image at 1/2, for matching and to tell the guided upsampling where edges run."""

HEAVY = 0.5
"""Share of the greatest weight from which on a neighbour helps to say which surface is meant."""

SURFACE_PX = 12.0
"""Neighbouring cells whose disparities differ by more belong to two surfaces."""

FAR_SHARE = 0.05
"""What the weight of another surface's cell is multiplied by; more than 0, so that the sum of weights never is."""

SMOOTH_PX = 0.5
"""How far the last enlargement may move a disparity away from its nearest neighbour's."""

KIND = "row_stereo"


@dataclass(frozen=True, slots=True)
class StereoConfig:
    """Widths of the network; one YAML file each in ``variants/``."""

    max_disparity_px: int
    feature_widths: tuple[int, ...]  # at 1/2, 1/4, 1/8, 1/16, 1/32
    match_widths: tuple[int, ...]  # at 1/4, 1/8, 1/16
    hourglass_widths: tuple[int, ...]  # at 1/4, 1/8, 1/16, 1/32

    @classmethod
    def load(cls, variant: str) -> StereoConfig:
        if variant not in variants(KIND):
            known = ", ".join(variants(KIND))
            raise ModelError(f"unknown variant {variant!r}; known: {known}")
        return cls(**variant_values(variant, cls.__slots__))


@dataclass(slots=True)
class StereoOutput:
    """What training needs; the exported graph returns ``half_px`` and the certainty at 1/4 only."""

    half_px: Tensor  # (B, 1, H/2, W/2) disparity in px of the input
    trust_logit: Tensor  # (B, 1, H/4, W/4) of the certainty
    coarse_px: Tensor  # (B, 1, H/4, W/4) before upsampling
    logits: Tensor  # (B, D/4, H/4, W/4) over candidate disparities
    similarities: tuple[Tensor, ...]  # (B, D/s, H/s, W/s) raw correlation at 1/4, 1/8, 1/16

    @property
    def disparity_px(self) -> Tensor:
        """(B, 1, H, W): bilinear on surfaces, but no pixel is more than ``SMOOTH_PX`` from its nearest neighbour.

        So the last enlargement copies one of two surfaces where a bilinear one would invent a third between
        them. The device enlarges by the same idea (``roma_device.runtime.tensors.decode.resize_disparity``).
        """
        return doubled_by_surface(self.half_px)

    @property
    def certainty_logit(self) -> Tensor:
        """(B, 1, H, W)."""
        return double(double(self.trust_logit))


class DetailedFeatures(Features):
    """The pyramid, and before it at 1/4 details of the image at 1/2 that know nothing but their own neighbourhood."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__(widths)
        self.detail = conv(widths[0], DETAIL, 3, 2)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        half = self.to_quarter[0](image)
        return self.detail(half), *self.from_half(half)


class Hourglass(nn.Module):
    """Filters the similarities with the left features, down to 1/32 and back."""

    def __init__(self, config: StereoConfig) -> None:
        super().__init__()
        quarter, eighth, sixteenth, thirtysecond = config.hourglass_widths
        features, candidates = config.feature_widths[1:4], _candidates(config)
        self.in_quarter = conv(candidates[0] + features[0], quarter, 1)
        self.in_eighth = conv(candidates[1] + features[1] + eighth, eighth, 1)
        self.in_sixteenth = conv(candidates[2] + features[2] + sixteenth, sixteenth, 1)
        self.down_eighth, self.down_sixteenth = conv(quarter, eighth, 3, 2), conv(eighth, sixteenth, 3, 2)
        self.down_thirtysecond = nn.Sequential(conv(sixteenth, thirtysecond, 3, 2), Residual(thirtysecond))
        self.mid_eighth, self.mid_sixteenth = Residual(eighth), Residual(sixteenth)
        self.up_sixteenth, self.up_eighth = conv(thirtysecond, sixteenth, 1), conv(sixteenth, eighth, 1)
        self.up_quarter = conv(eighth, quarter, 1)
        self.out_sixteenth, self.out_eighth = conv(sixteenth, sixteenth), conv(eighth, eighth)
        self.mid_quarter, self.out_quarter = Residual(quarter), conv(quarter, quarter)

    def forward(self, similarities: tuple[Tensor, ...], features: tuple[Tensor, ...]) -> Tensor:
        quarter = self.in_quarter(torch.cat([similarities[0], features[0]], 1))
        eighth = self.in_eighth(torch.cat([similarities[1], features[1], self.down_eighth(quarter)], 1))
        eighth = self.mid_eighth(eighth)
        sixteenth = self.in_sixteenth(torch.cat([similarities[2], features[2], self.down_sixteenth(eighth)], 1))
        sixteenth = self.mid_sixteenth(sixteenth)
        deep = self.down_thirtysecond(sixteenth)
        sixteenth = self.out_sixteenth(sixteenth + double(self.up_sixteenth(deep)))
        eighth = self.out_eighth(eighth + double(self.up_eighth(sixteenth)))
        quarter = self.mid_quarter(quarter + double(self.up_quarter(eighth)))
        return self.out_quarter(quarter)  # type: ignore[no-any-return]


class RowStereo(nn.Module):
    """Normalized grey pair (B, 1, H, W) twice -> disparity in input px at 1/2 and certainty at 1/4 of the resolution.

    What is left to full resolution is an enlargement, which needs no network (``roma_device.runtime.tensors.decode``).

    H and W are multiples of 32. Each image must come with mean 0 and variance 1.
    """

    def __init__(self, config: StereoConfig) -> None:
        super().__init__()
        self.config, self.is_far_first = config, False
        quarter, candidates = config.hourglass_widths[0], _candidates(config)
        self.features = DetailedFeatures(config.feature_widths)
        described = (config.feature_widths[1] + DETAIL, *config.feature_widths[2:4])
        self.match = nn.ModuleList(
            nn.Conv2d(width, matched, 1) for width, matched in zip(described, config.match_widths, strict=True)
        )
        self.hourglass = Hourglass(config)
        self.score = nn.Conv2d(quarter, candidates[0], 1)
        self.direct = nn.Parameter(torch.tensor(4.0))  # how much raw similarity counts besides the filtered one
        self.guide = nn.Sequential(conv(quarter + config.feature_widths[1] + DETAIL, 32, 1), nn.Conv2d(32, 36, 1))
        self.trust = nn.Sequential(conv(quarter + 1, 8), nn.Conv2d(8, 1, 1))
        steps = torch.arange(candidates[0], dtype=torch.float32) * 4
        self.steps_px: Tensor
        self.register_buffer("steps_px", steps.view(1, -1, 1, 1))

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        output = self.infer(left, right)
        return output.half_px, torch.sigmoid(output.trust_logit)

    def far_first(self) -> RowStereo:
        """The same network with its candidates in the opposite order, in which ``row_products`` finds them.

        For engines that can compute shapes it is the faster form to export.
        """
        network = copy.deepcopy(self)
        network.is_far_first = not self.is_far_first
        inlets = (network.hourglass.in_quarter, network.hourglass.in_eighth, network.hourglass.in_sixteenth)
        with torch.no_grad():
            for inlet, candidates in zip(inlets, _candidates(self.config), strict=True):
                weight = inlet.get_parameter("0.weight")
                weight[:, :candidates] = weight[:, :candidates].flip(1)
            for tensor, axis in ((network.score.weight, 0), (network.score.bias, 0), (network.steps_px, 1)):
                assert tensor is not None
                tensor.copy_(tensor.flip(axis))
        return network

    def infer(self, left: Tensor, right: Tensor) -> StereoOutput:
        (detail, *left_features), right_pyramid = self._pyramids(left, right)
        described = zip(_described(detail, *left_features), _described(*right_pyramid), strict=True)
        matched = [(match(a), match(b)) for match, (a, b) in zip(self.match, described, strict=True)]
        correlate = row_products if self.is_far_first else row_correlation
        with torch.autocast(left.device.type, enabled=False):  # positions need more than bf16's 8 bits
            similarities = tuple(
                correlate(unit(a.float()), unit(b.float()), candidates)
                for (a, b), candidates in zip(matched, _candidates(self.config), strict=True)
            )
        filtered = self.hourglass(similarities, tuple(left_features))
        scores = self.score(filtered)
        guide = self.guide(torch.cat([filtered, left_features[0], detail], 1))
        with torch.autocast(left.device.type, enabled=False):
            logits = scores.float() + self.direct * similarities[0]
            relative = torch.exp(logits - self._best(logits))
            near_peak = relative * around_peak(relative.detach(), PEAK_REACH)
            coarse = functional.conv2d(near_peak, self.steps_px) / channel_sum(near_peak)
            half = self._upsample(coarse, guide.float(), _mean if self.training else _of_one_surface)
            total = channel_sum(relative)
            sharpness = channel_sum(relative * relative) / (total * total)
        trust = self.trust(torch.cat([filtered, sharpness.to(filtered.dtype)], 1).detach())
        return StereoOutput(half, trust.float(), coarse, logits, similarities)

    def _best(self, logits: Tensor) -> Tensor:
        """(B, 1, H, W); engines that compute shapes also know a maximum over an axis."""
        return (logits.amax(1, keepdim=True) if self.is_far_first else channel_max(logits)).detach()

    def _pyramids(self, left: Tensor, right: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """One pass for both images while training; two at export, where the batch is one."""
        if torch.onnx.is_in_onnx_export():
            return self.features(left), self.features(right)
        both = self.features(torch.cat([left, right]))
        count = len(left)
        return tuple(f[:count] for f in both), tuple(f[count:] for f in both)

    @staticmethod
    def _upsample(coarse: Tensor, guide: Tensor, average: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """To 1/2 from the 3x3 neighbours with predicted weights (RAFT, ECCV 2020)."""
        neighbours = around(coarse)
        weights = (functional.softmax(guide[:, 9 * k : 9 * k + 9], 1) for k in range(4))
        return interleave(torch.cat([average(weight, neighbours) for weight in weights], 1))


def doubled_by_surface(disparity_px: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 1, 2H, 2W): bilinear, but no more than ``SMOOTH_PX`` from the nearest neighbour's."""
    nearest = functional.interpolate(disparity_px, scale_factor=2, mode="nearest")
    return nearest + (double(disparity_px) - nearest).clamp(-SMOOTH_PX, SMOOTH_PX)


def _mean(weight: Tensor, values: Tensor) -> Tensor:
    """Over the channels of (B, 9, H, W); the weights sum up to 1."""
    return channel_sum(weight * values)


def _of_one_surface(weight: Tensor, values: Tensor) -> Tensor:
    """The same of one surface alone, for a mean over two lies on neither: values far from the heaviest hardly count.

    Not for training: it gives no gradient that would choose the other surface.
    """
    heaviest = functional.relu(weight - HEAVY * channel_max(weight))
    surface = channel_sum(heaviest * values, copies=9) / channel_sum(heaviest, copies=9)
    near = weight * (functional.relu(1 - (values - surface).abs() / SURFACE_PX) + FAR_SHARE)
    return channel_sum(near * values) / channel_sum(near)


def _described(detail: Tensor, quarter: Tensor, eighth: Tensor, sixteenth: Tensor) -> tuple[Tensor, ...]:
    """What is matched at 1/4, 1/8 and 1/16."""
    return torch.cat([quarter, detail], 1), eighth, sixteenth


def _candidates(config: StereoConfig) -> tuple[int, int, int]:
    return config.max_disparity_px // 4, config.max_disparity_px // 8, config.max_disparity_px // 16
