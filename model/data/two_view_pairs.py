"""Synthetic pairs for two-view matching, with the exact match of every pixel.

Scenes of ``two_view_scenes.py`` are drawn as both cameras see them, and scenes of the stereo generator join in, their
right view turned and scaled; light differs between the views. Needs no OpenCV with a prepared atlas, and runs wherever
the atlas is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from .photometric import photograph, shared_conditions
from .stereo_pairs import PairBatch, PairRenderer
from .texture_atlas import Atlas
from .two_view_render import BEHIND, View, look, pixels
from .two_view_scenes import Planes, TwoViewScenes

SAME_DEPTH = 0.02
"""Relative difference up to which two views see the same surface."""
LIGHT_CELLS = (3, 4)


@dataclass(frozen=True, slots=True)
class TwoViewBatch:
    """B pairs with their truth."""

    a: Tensor  # (B, 1, H, W) grey in [0, 1]
    b: Tensor  # (B, 1, H, W)
    position: Tensor  # (B, 2, H, W): x, y in b of each pixel of a, in [-1, 1] from border to border
    visible: Tensor  # (B, H, W) bool: b sees the same point

    def to(self, device: torch.device) -> TwoViewBatch:
        return TwoViewBatch(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class TwoViewRenderer:
    """Draws scenes on the device of the atlas and photographs them twice, the second time with the views exchanged."""

    atlas: Atlas
    size: tuple[int, int]  # width, height in px
    batches_per_scenes: ClassVar[int] = 2

    def __call__(self, scenes: TwoViewScenes) -> TwoViewBatch:
        return self.batches(scenes)[0]

    def batches(self, scenes: TwoViewScenes) -> tuple[TwoViewBatch, ...]:
        generator = torch.Generator(self.atlas.device).manual_seed(scenes.seed)
        with torch.no_grad():
            if scenes.stereo is not None:
                pairs = PairRenderer(self.atlas, self.size).batches(scenes.stereo)
                return tuple(turned(from_stereo(batch), generator) for batch in pairs)
            assert scenes.planes is not None
            return self._drawn(scenes.planes.to(self.atlas.device), generator)

    def _drawn(self, scenes: Planes, generator: torch.Generator) -> tuple[TwoViewBatch, ...]:
        views = look(scenes, self.atlas, self.size, second=False), look(scenes, self.atlas, self.size, second=True)
        result = []
        for a, b, second in ((*views, True), (*views[::-1], False)):
            position, visible = _match(scenes, a, b, second, self.size)
            same, other = (shared_conditions(len(scenes.plane), generator) for _ in range(2))
            changed = torch.rand((len(same), 1), generator=generator, device=same.device) < 0.5
            light_b = torch.where(changed, other, same)
            relit = b.image * _light(scenes.relit, self.size, generator)
            images = photograph(a.image, generator, same), photograph(relit, generator, light_b)
            result.append(TwoViewBatch(*images, position, visible))
        return tuple(result)


def _light(relit: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """(B, H, W): a factor that changes slowly over the image, by ``relit`` (B,) in natural logarithms."""
    if not bool((relit > 0).any()):
        return torch.ones((), device=relit.device)
    coarse = torch.randn((len(relit), 1, *LIGHT_CELLS), generator=generator, device=relit.device)
    smooth = functional.interpolate(coarse, size[::-1], mode="bicubic", align_corners=True)[:, 0]
    return torch.exp(smooth * relit[:, None, None])


def _match(scenes: Planes, a: View, b: View, second: bool, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """True match: where the points of ``a`` lie in ``b``, which is the second camera's view or the first one's."""
    there = a.point
    if second:
        there = torch.einsum("bij,bjhw->bihw", scenes.rotation, there) + scenes.translation[:, :, None, None]
    z = there[:, 2].clamp(min=1e-3)
    # From the middle of the image, in halves of its size: that is [-1, 1] from border to border.
    scale = (scenes.focal_px[:, int(second), None] * 2 / torch.tensor(size, device=z.device))[..., None, None]
    position = there[:, :2] / z[:, None] * scale
    seen = functional.grid_sample(b.depth[:, None], position.permute(0, 2, 3, 1), mode="nearest", align_corners=False)[
        :, 0
    ]
    known = (a.depth < BEHIND) & (there[:, 2] > 0.05) & within(position)
    return position, known & ((seen - z).abs() < SAME_DEPTH * z)


def within(position: Tensor) -> Tensor:
    """(B, H, W): inside the second image."""
    return (position.abs() <= 1).all(1)


def own_positions(height: int, width: int, device: torch.device) -> Tensor:
    """(1, 2, H, W): where each pixel is, in [-1, 1]."""
    x, y = pixels((width, height), device)
    return torch.stack([x * 2 / width, y * 2 / height])[None]


def from_stereo(pairs: PairBatch) -> TwoViewBatch:
    """Rectified pairs, with what is left of their vertical misalignment."""
    height, width = pairs.left.shape[2:]
    own = own_positions(height, width, pairs.left.device)
    position = own + torch.stack([-pairs.disparity_px * 2 / width, pairs.row_offset_px * 2 / height], 1)
    return TwoViewBatch(pairs.left, pairs.right, position, ~pairs.occluded & within(position))


def turned(pairs: TwoViewBatch, generator: torch.Generator) -> TwoViewBatch:
    """The second views turned by up to 0.5 rad, most by less than 0.1, scaled by up to 1.35 and shifted, about their
    middle."""
    batch, _, height, width = pairs.b.shape
    random = torch.rand((batch, 4), generator=generator, device=pairs.b.device) * 2 - 1
    angle, scale, shift = 0.5 * random[:, 0] ** 3, torch.exp(0.3 * random[:, 1]), 0.15 * random[:, 2:]
    aspect = width / height
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    forward = torch.stack([torch.stack([cos, -sin / aspect], -1), torch.stack([sin * aspect, cos], -1)], 1)
    position = torch.einsum("bij,bjhw->bihw", forward, pairs.position) + shift[..., None, None]
    backward = torch.linalg.inv(forward)
    own = own_positions(height, width, pairs.b.device).expand(batch, -1, -1, -1)
    source = torch.einsum("bij,bjhw->bihw", backward, own - shift[..., None, None])
    image = functional.grid_sample(
        pairs.b, source.permute(0, 2, 3, 1), mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return TwoViewBatch(pairs.a, image, position, pairs.visible & within(position))
