"""Rendering of stereo pairs: surfaces -> left and right grey images with exact disparity and occlusion.

Both views look up the same left coordinates, so they agree to sub-pixel precision: the right pixel
``x_r`` shows the left point ``x`` that solves ``x = x_r + d(x, y)``. The nearest surface (largest
disparity) wins. Runs on any device; the batch is rendered at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .scenes import UNBOUNDED_PX, Surfaces
from .texture_atlas import Atlas

KNEE = 0.2
"""Distance to black and white from which on light is compressed instead of clipped."""


@dataclass(slots=True)
class View:
    """Rendered view of one camera; each (B, H, W)."""

    image: Tensor
    disparity_px: Tensor
    surface: Tensor  # index of the surface that is seen

    @property
    def columns(self) -> Tensor:
        """(W,): px from the middle of the image."""
        width = self.image.shape[-1]
        return torch.arange(width, device=self.image.device) - (width - 1) / 2

    def mirrored(self) -> View:
        """Left and right exchanged within the view."""
        return View(self.image.flip(-1), self.disparity_px.flip(-1), self.surface.flip(-1))


@dataclass(slots=True)
class Misalignment:
    """Vertical misalignment of the right camera's rows: each (B, 1, 1)."""

    shift_px: Tensor
    rotation_rad: Tensor


def render(surfaces: Surfaces, atlas: Atlas, size: tuple[int, int], misalignment: Misalignment) -> tuple[View, View]:
    """Both views of B scenes at ``size`` (width, height)."""
    width, height = size
    device = surfaces.plane.device
    y, x = torch.meshgrid(
        torch.arange(height, device=device) - (height - 1) / 2,
        torch.arange(width, device=device) - (width - 1) / 2,
        indexing="ij",
    )
    x, y = x[None], y[None]
    right_y = y + misalignment.shift_px + misalignment.rotation_rad * x
    return _view(surfaces, atlas, x, y, False), _view(surfaces, atlas, x, right_y, True)


def occlusion(left: View, right: View, tolerance_px: float = 1.0) -> Tensor:
    """Occlusion mask (B, H, W) bool: left pixels that the right camera does not see."""
    width = left.image.shape[-1]
    column = torch.arange(width, device=left.image.device) - left.disparity_px
    seen = torch.gather(right.disparity_px, 2, column.round().clamp(0, width - 1).long())
    slack = tolerance_px + 0.02 * left.disparity_px
    return (column < -0.5) | (seen > left.disparity_px + slack)


def _view(surfaces: Surfaces, atlas: Atlas, x: Tensor, y: Tensor, is_right: bool) -> View:
    batch, count = surfaces.dome_px.shape
    shape = (batch, *torch.broadcast_shapes(x.shape, y.shape)[1:])
    x, y = x.expand(shape), y.expand(shape)
    best = torch.full(shape, -1e3, device=x.device)
    index = torch.zeros(shape, dtype=torch.long, device=x.device)
    position = torch.zeros(shape, device=x.device)
    windows = _windows(surfaces, shape, is_right)
    for k in range(count):
        rows, columns = windows[k]
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        part = (slice(None), rows, columns)
        surface = _single(surfaces, k)
        left_x = _left_coordinate(surface, x[part], y[part]) if is_right else x[part]
        d = _disparity(surface, left_x, y[part])
        visible = (d > best[part]) & _mask(surface, left_x, y[part])
        best[part] = torch.where(visible, d, best[part])
        position[part] = torch.where(visible, left_x, position[part])
        index[part] = index[part].masked_fill(visible, k)
    return View(_shade(surfaces, atlas, index, position, y, best, is_right), best, index)


def _windows(s: Surfaces, shape: tuple[int, ...], is_right: bool) -> list[tuple[slice, slice]]:
    """Rows and columns in which surface k can be seen in any scene of the batch; all of them on a GPU."""
    height, width = shape[-2:]
    if s.plane.is_cuda:
        return [(slice(0, height), slice(0, width))] * s.plane.shape[1]
    cos, sin = torch.cos(s.angle).abs(), torch.sin(s.angle).abs()
    across = 1.3 * (s.radius[..., 0] * cos + s.radius[..., 1] * sin)
    along = 1.3 * (s.radius[..., 0] * sin + s.radius[..., 1] * cos)
    middle = s.plane[..., 0] + (s.plane[..., 1:] * s.centre).sum(-1)
    spread = s.plane[..., 1].abs() * across + s.plane[..., 2].abs() * along + s.bump[..., 0].abs()
    left, right = s.centre[..., 0] - across, s.centre[..., 0] + across
    if is_right:
        left, right = left - middle - spread - s.dome_px, right - middle + spread
    top, bottom = s.centre[..., 1] - along - 4, s.centre[..., 1] + along + 4
    edges = torch.stack([top + height / 2, bottom + height / 2, left + width / 2, right + width / 2])
    low, high = edges.amin(1)[[0, 2]], edges.amax(1)[[1, 3]]
    limit = torch.tensor([[height], [width]])
    low, high = low.floor().clamp(min=0).minimum(limit).long(), (high.ceil() + 1).clamp(min=0).minimum(limit).long()
    return [
        (slice(int(a), int(b)), slice(int(c), int(d)))
        for a, b, c, d in zip(low[0], high[0], low[1], high[1], strict=True)
    ]


def _single(surfaces: Surfaces, k: int) -> Surfaces:
    """Surface ``k`` of each scene with fields (B, 1, 1[, n])."""
    return surfaces.map(lambda field: field[:, k, None, None])


def _disparity(s: Surfaces, x: Tensor, y: Tensor) -> Tensor:
    d = s.plane[..., 0] + s.plane[..., 1] * x + s.plane[..., 2] * y
    if bool((s.bump[..., 0] != 0).any()):
        d = d + s.bump[..., 0] * torch.sin(s.bump[..., 1] * x + s.bump[..., 2] * y + s.bump[..., 3])
    if bool((s.dome_px != 0).any()):
        u, v = _local(s, x, y)
        d = d + s.dome_px * (1 - u * u - (1 - s.ridge) * v * v).clamp(min=0)
    return d


def _left_coordinate(s: Surfaces, right_x: Tensor, y: Tensor) -> Tensor:
    """Solve x = x_r + d(x, y): in closed form for planes, by a fixed point for the bent part."""
    x = (right_x + s.plane[..., 0] + s.plane[..., 2] * y) / (1 - s.plane[..., 1])
    if bool(((s.bump[..., 0] != 0) | (s.dome_px != 0)).any()):
        for _ in range(6):
            bent = _disparity(s, x, y) - s.plane[..., 1] * x
            x = (right_x + bent) / (1 - s.plane[..., 1])
    return x


def _local(s: Surfaces, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates in which the mask's outline is the unit circle."""
    dx, dy = x - s.centre[..., 0], y - s.centre[..., 1]
    cos, sin = torch.cos(s.angle), torch.sin(s.angle)
    return (dx * cos + dy * sin) / s.radius[..., 0], (dy * cos - dx * sin) / s.radius[..., 1]


def _mask(s: Surfaces, x: Tensor, y: Tensor) -> Tensor:
    straight = _within_edges(s, x, y)
    has_edges = bool((s.edges[..., :2] != 0).flatten(1).any(1).all())
    if has_edges or bool((s.radius[..., 0] >= UNBOUNDED_PX).all()):
        return straight  # a polygon's superellipse lies around it
    u, v = _local(s, x, y)
    reach, lobes = u.abs() ** s.power + v.abs() ** s.power, torch.ones((), device=x.device)
    if bool((s.wobble[..., 0] != 0).any()):
        lobes = 1 + s.wobble[..., 0] * torch.cos(s.wobble[..., 1] * torch.atan2(v, u) + s.wobble[..., 2])
    inside = straight & (reach < lobes)
    if bool((s.holes[..., 2] > -2).any()):
        grid = torch.sin(s.holes[..., 0] * u * s.radius[..., 0]) * torch.sin(s.holes[..., 1] * v * s.radius[..., 1])
        inside = inside & (grid > s.holes[..., 2] - 1)
    return inside


def _within_edges(s: Surfaces, x: Tensor, y: Tensor) -> Tensor:
    """Whether the left point lies on the inner side of all straight edges."""
    inside = torch.ones((), dtype=torch.bool, device=x.device)
    for k in range(s.edges.shape[-2]):
        edge = s.edges[..., k, :]
        if bool((edge[..., :2] != 0).any()):
            inside = inside & (edge[..., 0] * x + edge[..., 1] * y + edge[..., 2] >= 0)
    return inside


def _shade(surfaces: Surfaces, atlas: Atlas, index: Tensor, x: Tensor, y: Tensor, d: Tensor, is_right: bool) -> Tensor:
    """Look up the texture of the surface that each pixel shows, in perspective."""
    batch = torch.arange(index.shape[0], device=index.device)[:, None, None]
    focal_px = 1.1 * index.shape[-1]
    flat = _shading_table(surfaces, focal_px)[batch, index]
    scale = 1 / d.clamp(min=0.5)
    u = (flat[..., 0] * x + flat[..., 1] * y + flat[..., 2]) * scale + flat[..., 6]
    v = (flat[..., 3] * x + flat[..., 4] * y + flat[..., 5]) * scale + flat[..., 7]
    value = atlas.look_up(flat[..., 8].long(), u, v)
    shading = 1 + flat[..., 11] * x + flat[..., 12] * y
    light = (flat[..., 9] + flat[..., 10] * (value - 0.5)) * shading
    if bool((surfaces.gloss[..., 0] > 0).any()):
        light = light + _reflection(surfaces.gloss[batch, index], atlas, x, y, d, is_right)
    return _within_range(light)


def _within_range(light: Tensor) -> Tensor:
    """Into (0, 1) by a shoulder and a toe instead of clipping, so that a bright surface keeps its texture."""
    bright, dark = light.clamp(min=1 - KNEE), light.clamp(max=KNEE)
    bent = light.clamp(KNEE, 1 - KNEE)
    bent = bent + KNEE * torch.tanh((bright - (1 - KNEE)) / KNEE)
    return bent - KNEE * torch.tanh((KNEE - dark) / KNEE)


def _reflection(gloss: Tensor, atlas: Atlas, x: Tensor, y: Tensor, d: Tensor, is_right: bool) -> Tensor:
    """Light from the mirror image, which moves between the views by less than the surface that mirrors it."""
    behind = x - (1 - gloss[..., 2]) * d if is_right else x
    return gloss[..., 0] * (atlas.look_up(gloss[..., 1].long(), behind, y) - 0.3)


def _shading_table(s: Surfaces, focal_px: float) -> Tensor:
    """(B, K, 13): texture coordinates as two homographies' rows, offsets, texture, tone.

    A point at (x, y) with disparity d lies at (x, y, f) / d in units of the baseline; its texture
    coordinates are its coordinates along two axes within the plane.
    """
    normal = torch.stack([s.plane[..., 1], s.plane[..., 2], s.plane[..., 0] / focal_px], -1)
    normal = torch.nn.functional.normalize(normal, dim=-1)
    helper = torch.zeros_like(normal)
    upright = normal[..., 1].abs() < 0.8
    helper[..., 1] = upright.float()
    helper[..., 2] = (~upright).float()
    first = torch.nn.functional.normalize(torch.cross(normal, helper, dim=-1), dim=-1)
    second = torch.cross(normal, first, dim=-1)
    cos, sin = torch.cos(s.spin)[..., None], torch.sin(s.spin)[..., None]
    centre = s.centre.clamp(-300, 300)
    middle = (s.plane[..., 0] + (s.plane[..., 1:] * centre).sum(-1)).abs().clamp(min=2.0)
    scale = (s.density * middle)[..., None]
    focal = torch.tensor([1.0, 1.0, focal_px], device=normal.device)
    u_axis, v_axis = scale * focal * (cos * first + sin * second), scale * focal * (cos * second - sin * first)
    return torch.cat([u_axis, v_axis, s.offset, s.texture[..., None], s.tone], -1)
