"""Ray casting of surfaces in space for two cameras. The nearest surface wins; both look up one texture."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .texture_atlas import Atlas
from .two_view_scenes import Planes
from .two_view_surfaces import UNBOUNDED_PX

BEHIND = 1e4
"""Depth of what cannot be seen."""
NEAR = 0.05
"""Depth up to which nothing is seen."""
ROUNDS = 5
"""Of the fixed point that finds where a ray meets a bent surface."""


@dataclass(frozen=True, slots=True)
class View:
    """Rendered view of one camera."""

    image: Tensor  # (B, H, W)
    point: Tensor  # (B, 3, H, W) in the first camera's frame
    depth: Tensor  # (B, H, W) along the axis of the camera that sees it
    surface: Tensor  # (B, H, W) which of the scene's surfaces it is


def pixels(size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """x and y of pixel centres from the middle of the image, each (H, W)."""
    width, height = size
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return x - (width - 1) / 2, y - (height - 1) / 2


def look(scenes: Planes, atlas: Atlas, size: tuple[int, int], second: bool) -> View:
    """B scenes as the first or the second camera sees them at ``size`` (width, height).

    A GPU draws them all at once; a CPU one after the other, so that its caches hold what it works on.
    """
    if scenes.plane.is_cuda or len(scenes.plane) == 1:
        return _look(scenes, atlas, size, second)
    views = [_look(scenes.only(b), atlas, size, second) for b in range(len(scenes.plane))]
    return View(*(torch.cat([getattr(view, field.name) for view in views]) for field in fields(View)))


def _look(scenes: Planes, atlas: Atlas, size: tuple[int, int], second: bool) -> View:
    x, y = pixels(size, scenes.plane.device)
    focal = scenes.focal_px[:, int(second), None, None]
    ray = torch.stack([x / focal, y / focal, torch.ones_like(x / focal)], 1)  # (B, 3, H, W)
    origin = torch.zeros_like(scenes.translation)
    if second:
        ray = torch.einsum("bji,bjhw->bihw", scenes.rotation, ray)
        origin = -torch.einsum("bji,bj->bi", scenes.rotation, scenes.translation)
    depth = torch.full((len(ray), *ray.shape[2:]), BEHIND, device=ray.device)
    index = torch.zeros(depth.shape, dtype=torch.long, device=ray.device)
    for k in range(scenes.plane.shape[1]):
        if not bool(scenes.plane[:, k].any()):
            continue  # fills a shorter scene
        surface = _Surface(scenes, k, ray, origin)
        met, point = surface.meet()
        nearer = (met > NEAR) & (met < depth) & surface.inside(point)
        depth, index = torch.where(nearer, met, depth), index.masked_fill(nearer, k)
    point = _along(origin, depth, ray)
    return View(_paint(scenes, atlas, index, point), point, depth, index)


def _along(origin: Tensor, depth: Tensor, ray: Tensor) -> Tensor:
    return origin[..., None, None] + depth[:, None] * ray


class _Surface:
    """Surface ``k`` of each scene under the rays of a camera."""

    def __init__(self, scenes: Planes, k: int, ray: Tensor, origin: Tensor) -> None:
        self._scenes, self._k, self._ray, self._origin = scenes, k, ray, origin
        self._bounded = bool((scenes.radius[:, k] < UNBOUNDED_PX).any())

    def _of(self, field: Tensor) -> Tensor:
        """A number of each scene, for all its pixels."""
        return field[..., None, None]

    def meet(self) -> tuple[Tensor, Tensor]:
        """Depth (B, H, W) at which rays meet the surface, and the points (B, 3, H, W); BEHIND and more: nowhere."""
        plane, origin = self._scenes.plane[:, self._k], self._origin
        along = torch.einsum("bi,bihw->bhw", plane, self._ray)
        rest = self._of(1 - (plane * origin).sum(-1))
        met = rest / torch.where(along.abs() < 1e-6, 1e-6, along)
        point = _along(origin, met, self._ray)
        if not self._is_bent():
            return met, point
        for _ in range(ROUNDS):
            bend = self._bend(point)
            slope = along + self._ray[:, 2] * bend
            met = (rest - self._of(origin[:, 2]) * bend) / torch.where(slope.abs() < 1e-6, 1e-6, slope)
            point = _along(origin, met, self._ray)
        return met, point

    def _is_bent(self) -> bool:
        s, k = self._scenes, self._k
        return bool((s.wave[:, k, 0] != 0).any() | (s.fold[:, k, 0] != 0).any() | (s.dome[:, k] != 0).any())

    def _bend(self, point: Tensor) -> Tensor:
        """What bending adds to the inverse depth."""
        z = point[:, 2].clamp(min=NEAR)
        u, v = point[:, 0] / z, point[:, 1] / z
        s, k = self._scenes, self._k
        wave, fold = (self._of(field[:, k].T) for field in (s.wave, s.fold))
        bend = torch.zeros_like(u)
        if bool((wave[0] != 0).any()):
            bend = bend + wave[0] * torch.sin(wave[1] * u + wave[2] * v + wave[3])
        if bool((fold[0] != 0).any()):
            bend = bend + fold[0] * (fold[1] * u + fold[2] * v + fold[3]).abs()
        if bool((s.dome[:, k] != 0).any()):
            across, down = self._local(point)
            bend = bend + self._of(s.dome[:, k]) * (1 - across * across - down * down).clamp(min=0)
        return bend

    def inside(self, point: Tensor) -> Tensor:
        """Masks are drawn on the first image."""
        if not self._bounded:
            return point[:, 2] > 1e-3
        u, v = self._local(point)
        half = self._of(self._scenes.power[:, self._k] / 2)
        return ((u * u) ** half + (v * v) ** half < 1) & (point[:, 2] > 1e-3)

    def _local(self, point: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates in which the mask's outline reaches 1."""
        s, k = self._scenes, self._k
        cos, sin = self._of(torch.cos(s.angle[:, k])), self._of(torch.sin(s.angle[:, k]))
        z, focal = point[:, 2].clamp(min=1e-3), self._of(s.focal_px[:, 0])
        x = point[:, 0] / z * focal - self._of(s.centre[:, k, 0])
        y = point[:, 1] / z * focal - self._of(s.centre[:, k, 1])
        radius = s.radius[:, k]
        return (x * cos + y * sin) / self._of(radius[:, 0]), (y * cos - x * sin) / self._of(radius[:, 1])


def _paint(scenes: Planes, atlas: Atlas, index: Tensor, point: Tensor) -> Tensor:
    batch = torch.arange(len(index), device=index.device)[:, None, None]
    table = torch.cat([scenes.axes.flatten(2), scenes.offset, scenes.tone, scenes.texture[..., None], scenes.tile], -1)
    own = table[batch, index].unbind(-1)  # 14 maps of (B, H, W)
    u = own[0] * point[:, 0] + own[1] * point[:, 1] + own[2] * point[:, 2] + own[6]
    v = own[3] * point[:, 0] + own[4] * point[:, 1] + own[5] * point[:, 2] + own[7]
    grey = atlas.look_up(own[10].long(), u, v)
    if bool((scenes.tile[..., 2] > 0).any()):
        repeated = atlas.look_up(own[10].long(), _wrapped(u, own[11]), _wrapped(v, own[12]))
        grey = torch.lerp(grey, repeated, own[13])
    return (own[8] + own[9] * (grey - 0.5)).clamp(0, 1)


def _wrapped(coordinate: Tensor, period: Tensor) -> Tensor:
    """Where ``period`` is 0, as it is."""
    return torch.where(period > 0, torch.remainder(coordinate, period.clamp(min=1)), coordinate)
