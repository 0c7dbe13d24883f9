"""Batches of synthetic stereo pairs, made on the fly and reproducible by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .photometric import photograph, shared_conditions, uniform
from .render import Misalignment, View, occlusion, render
from .scenes import Surfaces, pack, sample_surfaces


@dataclass(frozen=True, slots=True)
class PairBatch:
    """B pairs with their truth."""

    left: Tensor  # (B, 1, H, W) grey in [0, 1]
    right: Tensor  # (B, 1, H, W)
    disparity_px: Tensor  # (B, H, W), exact
    occluded: Tensor  # (B, H, W) bool: not seen by the right camera

    def to(self, device: torch.device) -> PairBatch:
        return PairBatch(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class PairGenerator:
    """Makes batch ``index`` of the stream ``seed``: the same numbers on every run."""

    atlas: Tensor
    size: tuple[int, int]  # width, height
    batch: int
    max_disparity_px: float = 130.0
    max_shift_px: float = 1.0  # vertical misalignment of the right camera
    seed: int = 0

    def __call__(self, index: int) -> PairBatch:
        rng = np.random.default_rng([self.seed, index])
        scenes = [sample_surfaces(rng, self.size, self.max_disparity_px, len(self.atlas)) for _ in range(self.batch)]
        device = self.atlas.device
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        surfaces = pack(scenes).map(lambda field: field.to(device))
        with torch.no_grad():
            left, right = self._render(surfaces, self._misalignment(generator))
            shared = shared_conditions(self.batch, generator)
            return PairBatch(
                photograph(left.image, generator, shared),
                photograph(right.image, generator, shared),
                left.disparity_px.clamp(min=0),
                occlusion(left, right),
            )

    def _render(self, surfaces: Surfaces, misalignment: Misalignment) -> tuple[View, View]:
        """At once on a GPU; scene by scene on a CPU, where small objects then cost only their own pixels."""
        if surfaces.plane.is_cuda:
            return render(surfaces, self.atlas, self.size, misalignment)
        pairs = [
            render(
                surfaces.map(lambda field, b=b: field[b : b + 1]),
                self.atlas,
                self.size,
                Misalignment(misalignment.shift_px[b : b + 1], misalignment.rotation_rad[b : b + 1]),
            )
            for b in range(self.batch)
        ]
        return _stack([left for left, _ in pairs]), _stack([right for _, right in pairs])

    def _misalignment(self, generator: torch.Generator) -> Misalignment:
        some = (uniform((self.batch, 1, 1), 0, 1, generator) < 0.5).float()
        shift = uniform((self.batch, 1, 1), -self.max_shift_px, self.max_shift_px, generator) * some
        return Misalignment(shift, uniform((self.batch, 1, 1), -0.003, 0.003, generator) * some)


def _stack(views: list[View]) -> View:
    return View(
        torch.cat([view.image for view in views]),
        torch.cat([view.disparity_px for view in views]),
        torch.cat([view.surface for view in views]),
    )
