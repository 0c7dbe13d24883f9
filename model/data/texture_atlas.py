"""Mipmapped texture lookup: averaged over the patch that a pixel covers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 5
"""Sizes at which each texture is kept, each half of the one before."""


class Atlas:
    """Mipmaps of N square grey textures, repeated in mirrored tiles; smaller copies are for surfaces seen from afar.

    Without these, far and slanted surfaces would show a pattern of aliasing that differs between the cameras.
    """

    def __init__(self, textures: Tensor) -> None:
        """``textures`` is (N, side, side), side a multiple of 2 ** (LEVELS - 1)."""
        levels = [textures]
        for _ in range(LEVELS - 1):
            levels.append(functional.avg_pool2d(levels[-1][:, None], 2)[:, 0])
        self._count, self._side = len(textures), int(textures.shape[-1])
        self._texels = [level.reshape(-1) for level in levels]

    def __len__(self) -> int:
        return self._count

    @property
    def device(self) -> torch.device:
        return self._texels[0].device

    def look_up(self, texture: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Grey at the texture coordinates (u, v), in px of the largest copy, of the image (B, H, W) that they fill."""
        footprint = torch.maximum(_footprint(u), _footprint(v)).clamp(min=1)
        level = torch.log2(footprint).round().clamp(max=LEVELS - 1).to(torch.uint8)
        grey = self._bilinear(0, texture, u, v)
        for smaller in range(1, LEVELS):
            there = level == smaller
            grey[there] = self._bilinear(smaller, texture[there], u[there], v[there])
        return grey

    def _bilinear(self, level: int, texture: Tensor, u: Tensor, v: Tensor) -> Tensor:
        side, scale = self._side >> level, 0.5**level
        x, y = (_mirrored((c + 0.5) * scale - 0.5, side) for c in (u, v))
        x0, y0 = (c.floor().clamp(0, side - 2) for c in (x, y))
        texels = self._texels[level]
        base = (texture * side + y0.long()) * side + x0.long()
        top = torch.lerp(texels[base], texels[base + 1], x - x0)
        bottom = torch.lerp(texels[base + side], texels[base + side + 1], x - x0)
        return torch.lerp(top, bottom, y - y0)


def _footprint(coordinate: Tensor) -> Tensor:
    """How far the coordinate moves from one pixel to the next, along the axis where it moves more.

    Of the two neighbours on an axis the nearer one counts: the other may lie on another surface.
    """
    across = functional.pad((coordinate[..., 1:] - coordinate[..., :-1]).abs(), (1, 1), value=torch.inf)
    down = functional.pad((coordinate[..., 1:, :] - coordinate[..., :-1, :]).abs(), (0, 0, 1, 1), value=torch.inf)
    return torch.maximum(
        torch.minimum(across[..., 1:], across[..., :-1]), torch.minimum(down[..., 1:, :], down[..., :-1, :])
    )


def _mirrored(coordinate: Tensor, side: int) -> Tensor:
    period = 2 * (side - 1)
    folded = torch.remainder(coordinate, period)
    return torch.minimum(folded, period - folded)
