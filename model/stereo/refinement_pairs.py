"""Training pairs of the second stage: synthetic ones with what the frozen first stage says of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model.base.loop import normalize
from model.data.stereo_pairs import PairBatch, PairRenderer, SceneBatch
from model.data.texture_atlas import Atlas

from .network import RowStereo


@dataclass(frozen=True, slots=True)
class FirstGuess:
    """B pairs and the first stage's result."""

    pairs: PairBatch
    disparity_px: Tensor  # (B, 1, H, W)
    certainty: Tensor  # (B, 1, H/4, W/4)

    def to(self, device: torch.device) -> FirstGuess:
        return FirstGuess(self.pairs.to(device), self.disparity_px.to(device), self.certainty.to(device))


@dataclass(frozen=True, slots=True)
class GuessingRenderer:
    """Draws pairs and runs the first stage on them, in the worker process: it takes as long as the drawing."""

    renderer: PairRenderer
    first: RowStereo

    @property
    def atlas(self) -> Atlas:
        return self.renderer.atlas

    @property
    def batches_per_scenes(self) -> int:
        return self.renderer.batches_per_scenes

    def batches(self, scenes: SceneBatch) -> tuple[FirstGuess, ...]:
        return tuple(guess(self.first, pairs) for pairs in self.renderer.batches(scenes))


@torch.no_grad()
def guess(first: RowStereo, pairs: PairBatch) -> FirstGuess:
    """What ``first`` says of ``pairs``."""
    output = first.infer(normalize(pairs.left), normalize(pairs.right))
    return FirstGuess(pairs, output.disparity_px, torch.sigmoid(output.trust_logit))


def blotches(like: Tensor, generator: torch.Generator, most_px: float) -> Tensor:
    """Smooth errors of random size up to ``most_px`` in half of the pairs, as a first stage makes them on surfaces.

    ``like`` (B, 1, H, W) gives the shape.
    """
    batch, _, height, width = like.shape
    noise = torch.randn((batch, 1, height // 32 + 1, width // 32 + 1), generator=generator)
    size_px = most_px * 10 ** -torch.rand((batch, 1, 1, 1), generator=generator)
    size_px = size_px * (torch.rand((batch, 1, 1, 1), generator=generator) < 0.5)
    smooth = torch.nn.functional.interpolate(noise * size_px, size=(height, width), mode="bicubic", align_corners=False)
    return smooth.to(like.device)
