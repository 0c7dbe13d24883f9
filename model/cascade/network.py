"""The cascade: coarse-to-fine matching network, which says where each cell of one image lies in another.

TinyRoMa's scheme (Edstedt et al., RoMa, CVPR 2024) on a smaller budget: all cells are compared with all cells at 1/16
alone, which LoFTR's loss teaches directly (Sun et al., CVPR 2021); finer levels look within windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.base.layers import Features, double
from model.base.variants import variant_values, variants
from roma_device.runtime.card import ModelError

from .global_matching import GlobalMatch, GlobalMatching
from .grid import Grid
from .refine import Refine, RefinedMatch

KIND = "cascade"


@dataclass(frozen=True, slots=True)
class CascadeConfig:
    """Widths of the network."""

    feature_widths: tuple[int, ...]  # at 1/2, 1/4, 1/8, 1/16, 1/32
    match_width: int  # channels in which all cells are compared, at 1/16
    window_widths: tuple[int, ...]  # channels that are compared within windows, at 1/16, 1/8, 1/4
    refine_widths: tuple[int, ...]  # of the refinements, at 1/16, 1/8, 1/4
    reach: int  # cells that a window extends to each side
    last_passes: int  # of the refinement at 1/4, which shares its weights

    @classmethod
    def load(cls, variant: str) -> CascadeConfig:
        """Read the variant ``variant``; raises ModelError with file and key."""
        if variant not in names():
            raise ModelError(f"unknown variant {variant!r} of the cascade; known: {', '.join(names())}")
        return cls(**variant_values(variant, cls.__slots__))


def names() -> list[str]:
    """The variants of this kind."""
    return variants(KIND)


STRIDES = (16, 8, 4)


@dataclass(frozen=True, slots=True)
class CascadeOutput:
    """Global match and refinements, for training; the exported graph returns the last one's position and certainty."""

    global_match: GlobalMatch
    stages: tuple[RefinedMatch, ...]


class Cascade(nn.Module):
    """Coarse-to-fine matching: normalized grey (B, 1, H, W) twice -> where each cell of A lies in B, certainty's logit.

    H and W are multiples of 32. Returns the position (B, 2, H/4, W/4) in [-1, 1] from border to border (a pixel's
    centre lies at ``(2 x + 1) / W - 1``) and the logit (B, 1, H/4, W/4).
    """

    def __init__(self, config: CascadeConfig) -> None:
        super().__init__()
        self.config = config
        _, quarter, eighth, sixteenth, _ = config.feature_widths
        self.features = Features(config.feature_widths)
        self.everywhere = GlobalMatching(sixteenth, config.match_width)  # a key of checkpoints
        shapes = zip(STRIDES, (sixteenth, eighth, quarter), config.window_widths, config.refine_widths, strict=True)
        self.refinements = nn.ModuleList(
            Refine(stride, inputs, width, hidden, config.reach, trusts=2 if stride == STRIDES[0] else 1)
            for stride, inputs, width, hidden in shapes
        )

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        last = self.infer(a, b).stages[-1]
        return last.position, last.trust_logit

    def infer(self, a: Tensor, b: Tensor) -> CascadeOutput:
        coarse_first = [(level_a, level_b) for level_a, level_b in zip(*self._pyramids(a, b), strict=True)][::-1]
        grids = [Grid.of(level_a) for level_a, _ in coarse_first]
        global_match = self.everywhere(*coarse_first[0], grids[0])
        flow, trust = global_match.flow, global_match.trust
        stages: list[RefinedMatch] = []
        for refine, (level_a, level_b), grid in zip(self.refinements, coarse_first, grids, strict=True):
            if stages:
                flow, trust = 2 * double(flow), double(trust)
            for _ in range(self.config.last_passes if refine.stride == STRIDES[-1] else 1):
                stages.append(
                    refine(
                        level_a, level_b, flow, trust if trust.dtype == level_a.dtype else trust.to(level_a.dtype), grid
                    )
                )
                flow, trust = stages[-1].flow.detach(), torch.sigmoid(stages[-1].trust_logit.detach())
        return CascadeOutput(global_match, tuple(stages))

    def _pyramids(self, a: Tensor, b: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """At 1/4, 1/8 and 1/16. One pass for both images while training; two at export, where the batch is one."""
        if torch.onnx.is_in_onnx_export():
            return self.features(a), self.features(b)
        both = self.features(torch.cat([a, b]))
        return tuple(f[: len(a)] for f in both), tuple(f[len(a) :] for f in both)
