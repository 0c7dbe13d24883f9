"""Training pairs of the second stage: synthetic ones with what the frozen first stage says of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from model.base.loop import normalize
from model.data.stereo_pairs import PairBatch, PairRenderer, SceneBatch, halved
from model.data.texture_atlas import Atlas

from .network import RowStereo

HALVED, ENLARGED = 2, 1
"""Batches of a scene that the first stage sees at half their size, and those as soft as enlarged images are: one of
four each."""
MOST_ENLARGED = 2.0
"""Factor up to which images are enlarged."""


@dataclass(frozen=True, slots=True)
class FirstGuess:
    """B pairs and the first stage's result, on images of this size or of half of it."""

    pairs: PairBatch
    disparity_px: Tensor  # (B, 1, H, W), or (B, 1, H/2, W/2) in px of the smaller images
    certainty: Tensor  # (B, 1, H/4, W/4), or (B, 1, H/8, W/8)

    @property
    def is_halved(self) -> bool:
        return self.disparity_px.shape[-1] < self.pairs.left.shape[-1]

    def to(self, device: torch.device) -> FirstGuess:
        return FirstGuess(self.pairs.to(device), self.disparity_px.to(device), self.certainty.to(device))


@dataclass(frozen=True, slots=True)
class GuessingRenderer:
    """Draws pairs and runs the first stage on them, in the worker process: it takes as long as the drawing.

    Of four batches of a scene one is given to ``first_of_half``, which sees the images at half their size, and one
    is softened, as images are that were enlarged for the network.
    """

    renderer: PairRenderer
    first: RowStereo
    first_of_half: RowStereo

    @property
    def atlas(self) -> Atlas:
        return self.renderer.atlas

    @property
    def batches_per_scenes(self) -> int:
        return self.renderer.batches_per_scenes

    def batches(self, scenes: SceneBatch) -> tuple[FirstGuess, ...]:
        factor = random.Random(scenes.seed).uniform(1, MOST_ENLARGED)
        drawn = enumerate(self.renderer.batches(scenes))
        return tuple(self._guess(index % 4, pairs, factor) for index, pairs in drawn)

    def _guess(self, index: int, pairs: PairBatch, factor: float) -> FirstGuess:
        if index == HALVED:
            return guess_at_half(self.first_of_half, pairs)
        return guess(self.first, softened(pairs, factor) if index == ENLARGED else pairs)


def softened(pairs: PairBatch, factor: float) -> PairBatch:
    """The same pairs with images that look as if enlarged by ``factor``, as the device enlarges; the truth stays."""
    return replace(pairs, left=_soft(pairs.left, factor), right=_soft(pairs.right, factor))


def _soft(image: Tensor, factor: float) -> Tensor:
    height, width = image.shape[-2:]
    small = functional.interpolate(image, size=(round(height / factor), round(width / factor)), mode="area")
    return functional.interpolate(small, size=(height, width), mode="bicubic", align_corners=False)


@torch.no_grad()
def guess_at_half(first: RowStereo, pairs: PairBatch) -> FirstGuess:
    """What ``first`` says of ``pairs`` at half their size."""
    output = first.infer(halved(normalize(pairs.left)), halved(normalize(pairs.right)))
    return FirstGuess(pairs, output.disparity_px, torch.sigmoid(output.trust_logit))


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
    smooth = functional.interpolate(noise * size_px, size=(height, width), mode="bicubic", align_corners=False)
    return smooth.to(like.device)
