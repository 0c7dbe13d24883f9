"""Batches of synthetic stereo pairs, made on the fly and reproducible by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .indoor import sample_room
from .photometric import photograph, shared_conditions, uniform
from .render import Misalignment, View, occlusion, render
from .scenes import Description, Surfaces, pack, sample_surfaces
from .texture_atlas import Atlas

NEAREST_SHARE = 0.4
"""Greatest disparity over the width of the image: beyond it too little is seen by both cameras."""


@dataclass(frozen=True, slots=True)
class PairBatch:
    """B pairs with their truth."""

    left: Tensor  # (B, 1, H, W) grey in [0, 1]
    right: Tensor  # (B, 1, H, W)
    disparity_px: Tensor  # (B, H, W), exact
    occluded: Tensor  # (B, H, W) bool: not seen by the right camera
    row_offset_px: Tensor  # (B, H, W): row of the match in the right image minus that in the left one

    def to(self, device: torch.device) -> PairBatch:
        return PairBatch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__))

    def halved(self) -> PairBatch:
        """The same pairs with half as many rows and columns; each pixel keeps the truth of the first of its four."""
        return PairBatch(
            halved(self.left),
            halved(self.right),
            self.disparity_px[:, ::2, ::2] / 2,
            self.occluded[:, ::2, ::2],
            self.row_offset_px[:, ::2, ::2] / 2,
        )


def halved(image: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H/2, W/2), each pixel the mean of four: as ``cv2.INTER_AREA`` does on the device."""
    return functional.avg_pool2d(image, 2)


@dataclass(frozen=True, slots=True)
class SceneBatch:
    """What B pairs will show, not rendered yet."""

    surfaces: Surfaces
    seed: int  # of everything random that rendering adds


@dataclass(frozen=True, slots=True)
class SceneSampler:
    """Draws batch ``index`` of the stream ``seed``: the same scenes on every run. Needs no GPU."""

    size: tuple[int, int]  # width, height in px
    batch: int
    textures: int  # number of textures in the atlas
    max_disparity_px: float = 170.0  # of the nearest scenes; in small images no more than NEAREST_SHARE allows
    seed: int = 0
    room_share: float = 0.0  # of the scenes: furnished rooms
    close_share: float = 0.0  # of the others: those that end close by

    def __call__(self, index: int) -> SceneBatch:
        rng = np.random.default_rng([self.seed, index])
        nearest_px = min(self.max_disparity_px, NEAREST_SHARE * self.size[0])
        scenes = [self._scene(rng, nearest_px) for _ in range(self.batch)]
        return SceneBatch(pack(scenes), int(rng.integers(2**62)))

    def _scene(self, rng: np.random.Generator, nearest_px: float) -> list[Description]:
        if self.room_share and rng.random() < self.room_share:
            return sample_room(rng, self.size, nearest_px, self.textures)
        return sample_surfaces(rng, self.size, nearest_px, self.textures, self.close_share)


@dataclass(frozen=True, slots=True)
class PairRenderer:
    """Draws scenes on the device of the atlas and photographs them."""

    atlas: Atlas
    size: tuple[int, int]  # width, height in px
    max_shift_px: float = 1.0  # usual vertical misalignment of the right camera
    exact_shift_px: float | None = None  # of every pair, up or down, and not rotated: for measuring
    lights: int = 1  # in how many each rendered view is photographed
    clean_share: float = 0.0  # of the pairs, seen by two equal cameras in good light

    @property
    def batches_per_scenes(self) -> int:
        return 2 * self.lights

    def __call__(self, scenes: SceneBatch) -> PairBatch:
        """The pairs alone."""
        with torch.no_grad():
            left, right, off, generator = self._views(scenes)
            return self._photographed(left, right, -_rows_off(off, left.columns - left.disparity_px), generator)

    def batches(self, scenes: SceneBatch) -> tuple[PairBatch, ...]:
        """The pairs, and their mirror images in another light; and again for each further light.

        In a mirror the right camera is the left one: other truth, other occlusions, at the price of the light alone.
        """
        with torch.no_grad():
            left, right, off, generator = self._views(scenes)
            rows, mirrored_rows = -_rows_off(off, left.columns - left.disparity_px), _rows_off(off, -right.columns)
            mirrored = right.mirrored(), left.mirrored()
            views = ((left, right, rows), (*mirrored, mirrored_rows))
            return tuple(self._photographed(*view, generator) for _ in range(self.lights) for view in views)

    def _photographed(self, left: View, right: View, row_offset_px: Tensor, generator: torch.Generator) -> PairBatch:
        shared = shared_conditions(len(left.image), generator, self.clean_share)
        return PairBatch(
            photograph(left.image, generator, shared),
            photograph(right.image, generator, shared),
            left.disparity_px.clamp(min=0),
            occlusion(left, right),
            row_offset_px.expand_as(left.disparity_px),
        )

    def _views(self, scenes: SceneBatch) -> tuple[View, View, Misalignment, torch.Generator]:
        """Both views, how their rows are off, and what draws the light."""
        device = self.atlas.device
        generator = torch.Generator(device).manual_seed(scenes.seed)
        surfaces = scenes.surfaces.map(lambda field: field.to(device, non_blocking=True))
        off = self._misalignment(len(surfaces.dome_px), generator)
        return (*self._render(surfaces, off), off, generator)

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
            for b in range(len(surfaces.dome_px))
        ]
        return _stack([left for left, _ in pairs]), _stack([right for _, right in pairs])

    def _misalignment(self, batch: int, generator: torch.Generator) -> Misalignment:
        if self.exact_shift_px is not None:
            down = uniform((batch, 1, 1), 0, 1, generator) < 0.5
            shift = torch.where(down, self.exact_shift_px, -self.exact_shift_px)
            return Misalignment(shift, torch.zeros_like(shift))
        some = (uniform((batch, 1, 1), 0, 1, generator) < 0.5).float()
        far = 1 + (uniform((batch, 1, 1), 0, 1, generator) < 0.1).float()  # now and then twice as far
        shift = uniform((batch, 1, 1), -self.max_shift_px, self.max_shift_px, generator) * some * far
        return Misalignment(shift, uniform((batch, 1, 1), -0.003, 0.003, generator) * some)


def _rows_off(misalignment: Misalignment, column: Tensor) -> Tensor:
    """Row of the left camera minus that of the right one, where the right camera has ``column`` px from its middle."""
    return misalignment.shift_px + misalignment.rotation_rad * column


def _stack(views: list[View]) -> View:
    return View(
        torch.cat([view.image for view in views]),
        torch.cat([view.disparity_px for view in views]),
        torch.cat([view.surface for view in views]),
    )
