"""Synthetic pairs for two-view matching, with the exact match of every pixel.

Scenes are textured planes in space, cut out by masks, seen by a camera that moves: a single plane is a homography,
several are parallax and occlusion. Rotation about the axis, scale (by moving and by zooming) and light change between
the views. Scenes of the stereo generator join in, their right view turned and scaled. Needs no OpenCV with a prepared
atlas, and runs wherever the atlas is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from .atlas import Atlas
from .photometric import photograph, shared_conditions
from .synthetic import PairBatch, PairRenderer, SceneBatch, SceneSampler

Array = npt.NDArray[np.float64]
BEHIND = 1e4
"""Depth of what cannot be seen."""
SAME_DEPTH = 0.02
"""Relative difference up to which two views see the same surface."""


@dataclass(frozen=True, slots=True)
class TwoViewBatch:
    """B pairs with their truth."""

    a: Tensor  # (B, 1, H, W) grey in [0, 1]
    b: Tensor  # (B, 1, H, W)
    position: Tensor  # (B, 2, H, W): x, y in b of each pixel of a, in [-1, 1] from border to border
    visible: Tensor  # (B, H, W) bool: b sees the same point

    def to(self, device: torch.device) -> TwoViewBatch:
        return TwoViewBatch(*(getattr(self, one.name).to(device, non_blocking=True) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Planes:
    """B scenes of K planes; a point X of a plane in the first camera's frame has ``plane . X = 1``."""

    plane: Tensor  # (B, K, 3)
    centre: Tensor  # (B, K, 2) of the mask, in px from the middle of the first image
    radius: Tensor  # (B, K, 2) px; huge for a background
    angle: Tensor  # (B, K)
    power: Tensor  # (B, K) of the superellipse
    texture: Tensor  # (B, K)
    axes: Tensor  # (B, K, 2, 3): texture px per unit of X
    offset: Tensor  # (B, K, 2) texture px
    tone: Tensor  # (B, K, 2): mean and contrast
    rotation: Tensor  # (B, 3, 3): second from first
    translation: Tensor  # (B, 3)
    focal_px: Tensor  # (B, 2) of both cameras


@dataclass(frozen=True, slots=True)
class TwoViewScenes:
    """What a batch will show: planes, or scenes of the stereo generator."""

    planes: Planes | None
    stereo: SceneBatch | None
    seed: int


@dataclass(frozen=True, slots=True)
class TwoViewSampler:
    """Draws batch ``index`` of the stream ``seed``: the same scenes on every run."""

    size: tuple[int, int]  # width, height in px
    batch: int
    textures: int
    seed: int = 0
    rendered_share: float = 0.3  # of the batches, from the stereo generator

    def __call__(self, index: int) -> TwoViewScenes:
        rng = np.random.default_rng([self.seed, index, 2])
        seed = int(rng.integers(2**62))
        if rng.random() < self.rendered_share:
            return TwoViewScenes(None, SceneSampler(self.size, self.batch, self.textures, seed=self.seed)(index), seed)
        scenes = [_sample_scene(rng, self.size, self.textures) for _ in range(self.batch)]
        return TwoViewScenes(_pack(scenes), None, seed)


def _sample_scene(rng: np.random.Generator, size: tuple[int, int], textures: int) -> dict[str, Array]:
    """Fields of Planes, without the batch axis."""
    focal = size[0] * rng.uniform(0.7, 1.6)
    count = 1 if rng.random() < 0.3 else int(rng.integers(4, 13))
    planes = [_sample_plane(rng, size, focal, background=k == 0) for k in range(count)]
    scene = {name: np.stack([plane[name] for plane in planes]) for name in planes[0]}
    scene["texture"] = rng.integers(textures, size=count).astype(float)
    rotation, translation = _sample_motion(rng)
    zoom = np.exp(rng.uniform(-0.3, 0.3))
    return scene | {"rotation": rotation, "translation": translation, "focal_px": np.array([focal, focal * zoom])}


def _sample_plane(rng: np.random.Generator, size: tuple[int, int], focal: float, background: bool) -> dict[str, Array]:
    """Inverse depth is affine over the first image; the background lies about 1 to 2 away, all else before it."""
    inverse = rng.uniform(0.5, 1.0) if background else rng.uniform(0.7, 2.2)
    slope = rng.uniform(-0.5, 0.5, 2) * inverse
    spin, density = rng.uniform(-np.pi, np.pi), focal * inverse * np.exp(rng.uniform(-0.9, 0.7))
    first = np.array([np.cos(spin), np.sin(spin), 0]) * density
    second = np.array([-np.sin(spin), np.cos(spin), 0]) * density
    contrast = rng.choice([rng.uniform(0.5, 1.2), rng.uniform(0.1, 0.5)], p=[0.8, 0.2])
    return {
        "plane": np.array([*slope, inverse]),
        "centre": np.zeros(2) if background else rng.uniform(-0.5, 0.5, 2) * size,
        "radius": np.full(2, 1e6) if background else size[1] * np.exp(rng.uniform(np.log(0.06), np.log(0.5), 2)),
        "angle": np.asarray(rng.uniform(0, np.pi)),
        "power": np.asarray(rng.choice([2.0, 4.0, 10.0])),
        "axes": np.stack([first, second]),
        "offset": rng.uniform(-400, 400, 2),
        "tone": np.array([rng.uniform(0.25, 0.75), contrast]),
    }


def _sample_motion(rng: np.random.Generator) -> tuple[Array, Array]:
    """The second camera looks roughly at the same spot, from elsewhere, turned about its axis."""
    strength = rng.uniform(0, 1) ** 1.5
    place = rng.uniform(-1, 1, 3) * np.array([0.5, 0.35, 0.35]) * strength
    view = np.array([0, 0, 1.2]) - place
    yaw = np.arctan2(view[0], view[2]) + rng.normal(0, 0.06)
    pitch = np.arctan2(-view[1], np.hypot(view[0], view[2])) + rng.normal(0, 0.05)
    roll = rng.normal(0, 0.08) if rng.random() < 0.6 else rng.uniform(-0.8, 0.8)
    rotation = _about(2, roll) @ _about(0, -pitch) @ _about(1, -yaw)
    return rotation, -rotation @ place


def _about(axis: int, angle: float) -> Array:
    """Rotation about the x, y or z axis."""
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[j, i] = np.sin(angle)
    matrix[i, j] = -np.sin(angle)
    return matrix


_PER_PLANE = ("plane", "centre", "radius", "angle", "power", "texture", "axes", "offset", "tone")


def _pack(scenes: list[dict[str, Array]]) -> Planes:
    """Short scenes are filled with copies of their background, which hide behind it."""
    longest = max(len(scene["plane"]) for scene in scenes)
    full = []
    for scene in scenes:
        pick = [*range(len(scene["plane"])), *[0] * (longest - len(scene["plane"]))]
        full.append({name: value[pick] if name in _PER_PLANE else value for name, value in scene.items()})
    stacked = (np.stack([scene[one.name] for scene in full]) for one in fields(Planes))
    return Planes(*(torch.from_numpy(value.astype(np.float32)) for value in stacked))


@dataclass(frozen=True, slots=True)
class TwoViewRenderer:
    """Draws scenes on the device of the atlas and photographs them."""

    atlas: Atlas
    size: tuple[int, int]  # width, height in px
    batches_per_scenes: ClassVar[int] = 1

    def batches(self, scenes: TwoViewScenes) -> tuple[TwoViewBatch]:
        return (self(scenes),)

    def __call__(self, scenes: TwoViewScenes) -> TwoViewBatch:
        generator = torch.Generator(self.atlas.device).manual_seed(scenes.seed)
        with torch.no_grad():
            if scenes.stereo is not None:
                return turned(from_stereo(PairRenderer(self.atlas, self.size)(scenes.stereo)), generator)
            assert scenes.planes is not None
            return self._render(scenes.planes, generator)

    def _render(self, scenes: Planes, generator: torch.Generator) -> TwoViewBatch:
        device = self.atlas.device
        scenes = Planes(*(getattr(scenes, one.name).to(device, non_blocking=True) for one in fields(Planes)))
        first = _look(scenes, self.atlas, self.size, second=False)
        second = _look(scenes, self.atlas, self.size, second=True)
        position, visible = _match(scenes, first, second, self.size)
        same, other = (shared_conditions(len(scenes.plane), generator) for _ in range(2))
        changed = torch.rand((len(same), 1), generator=generator, device=device) < 0.5
        light_b = torch.where(changed, other, same)
        a, b = photograph(first.image, generator, same), photograph(second.image, generator, light_b)
        return TwoViewBatch(a, b, position, visible)


@dataclass(frozen=True, slots=True)
class _View:
    image: Tensor  # (B, H, W)
    point: Tensor  # (B, H, W, 3) in the first camera's frame
    depth: Tensor  # (B, H, W) along the axis of the camera that sees it


def _pixels(size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """x and y of pixel centres from the middle of the image, each (H, W)."""
    width, height = size
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return x - (width - 1) / 2, y - (height - 1) / 2


def _look(scenes: Planes, atlas: Atlas, size: tuple[int, int], second: bool) -> _View:
    x, y = _pixels(size, scenes.plane.device)
    focal = scenes.focal_px[:, int(second), None, None]
    ray = torch.stack([x / focal, y / focal, torch.ones_like(x / focal)], -1)  # (B, H, W, 3)
    origin = torch.zeros_like(scenes.translation)
    if second:
        ray = torch.einsum("bji,bhwj->bhwi", scenes.rotation, ray)
        origin = -torch.einsum("bji,bj->bi", scenes.rotation, scenes.translation)
    depth = torch.full(ray.shape[:3], BEHIND, device=ray.device)
    index = torch.zeros(ray.shape[:3], dtype=torch.long, device=ray.device)
    for k in range(scenes.plane.shape[1]):
        plane = scenes.plane[:, k]
        along = torch.einsum("bi,bhwi->bhw", plane, ray)
        one = (1 - (plane * origin).sum(-1))[:, None, None] / torch.where(along.abs() < 1e-6, 1e-6, along)
        point = origin[:, None, None] + one[..., None] * ray
        nearer = (one > 0.05) & (one < depth) & _inside(scenes, k, point)
        depth, index = torch.where(nearer, one, depth), index.masked_fill(nearer, k)
    point = origin[:, None, None] + depth[..., None] * ray
    return _View(_paint(scenes, atlas, index, point), point, depth)


def _inside(scenes: Planes, k: int, point: Tensor) -> Tensor:
    """Masks are drawn on the first image."""
    z = point[..., 2].clamp(min=1e-3)
    focal, centre, angle = (
        value[:, None, None] for value in (scenes.focal_px[:, 0], scenes.centre[:, k], scenes.angle[:, k])
    )
    x = point[..., 0] / z * focal - centre[..., 0]
    y = point[..., 1] / z * focal - centre[..., 1]
    radius, power = scenes.radius[:, k, None, None], scenes.power[:, k, None, None]
    u = (x * torch.cos(angle) + y * torch.sin(angle)) / radius[..., 0]
    v = (y * torch.cos(angle) - x * torch.sin(angle)) / radius[..., 1]
    return (u.abs() ** power + v.abs() ** power < 1) & (point[..., 2] > 1e-3)


def _paint(scenes: Planes, atlas: Atlas, index: Tensor, point: Tensor) -> Tensor:
    batch = torch.arange(len(index), device=index.device)[:, None, None]
    coordinates = (scenes.axes[batch, index] * point[..., None, :]).sum(-1) + scenes.offset[batch, index]
    grey = atlas.look_up(scenes.texture.long()[batch, index], coordinates[..., 0], coordinates[..., 1])
    tone = scenes.tone[batch, index]
    return (tone[..., 0] + tone[..., 1] * (grey - 0.5)).clamp(0, 1)


def _match(scenes: Planes, first: _View, second: _View, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    width, height = size
    there = torch.einsum("bij,bhwj->bhwi", scenes.rotation, first.point) + scenes.translation[:, None, None]
    z = there[..., 2].clamp(min=1e-3)
    focal = scenes.focal_px[:, 1, None, None]
    # From the middle of the image, in halves of its size: that is [-1, 1] from border to border.
    position = torch.stack([there[..., 0] / z * focal * 2 / width, there[..., 1] / z * focal * 2 / height], 1)
    seen = functional.grid_sample(
        second.depth[:, None], position.permute(0, 2, 3, 1), mode="nearest", align_corners=False
    )[:, 0]
    known = (first.depth < BEHIND) & (there[..., 2] > 0.05) & within(position)
    return position, known & ((seen - z).abs() < SAME_DEPTH * z)


def within(position: Tensor) -> Tensor:
    """(B, H, W): inside the second image."""
    return (position.abs() <= 1).all(1)


def own_positions(height: int, width: int, device: torch.device) -> Tensor:
    """(1, 2, H, W): where each pixel is, in [-1, 1]."""
    x, y = _pixels((width, height), device)
    return torch.stack([x * 2 / width, y * 2 / height])[None]


def from_stereo(pairs: PairBatch) -> TwoViewBatch:
    """Rectified pairs, with what is left of their vertical misalignment."""
    height, width = pairs.left.shape[2:]
    own = own_positions(height, width, pairs.left.device)
    position = own + torch.stack([-pairs.disparity_px * 2 / width, pairs.row_offset_px * 2 / height], 1)
    return TwoViewBatch(pairs.left, pairs.right, position, ~pairs.occluded & within(position))


def turned(pairs: TwoViewBatch, generator: torch.Generator) -> TwoViewBatch:
    """The second views turned by up to 0.5 rad, scaled by up to 1.35 and shifted, about their middle."""
    batch, _, height, width = pairs.b.shape
    random = torch.rand((batch, 4), generator=generator, device=pairs.b.device) * 2 - 1
    angle, scale, shift = 0.5 * random[:, 0], torch.exp(0.3 * random[:, 1]), 0.15 * random[:, 2:]
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
