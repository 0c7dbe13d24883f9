"""Random scenes for two-view matching: textured surfaces in space, and the relative pose of the second camera.

A room or street is a ground, two walls and an end, of which the nearest is seen; things stand before it, cut out by
masks. Surfaces may be wavy, domed or folded like the edge of a box. Depths are about 1, so that motions and depths
compare.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .stereo_pairs import SceneBatch, SceneSampler

Array = npt.NDArray[np.float64]

UNBOUNDED_PX = 1e6
MOST_ZOOM = 2.5
BENT = 5
"""Of each scene the first so many surfaces may be bent, which costs several times the time of a plane."""


@dataclass(frozen=True, slots=True)
class Planes:
    """B scenes of K surfaces; a point X of a plane in the first camera's frame has ``plane . X = 1``.

    With ``(u, v) = (x, y) / z`` in the first camera, a bent surface has the inverse depth
    ``plane . (u, v, 1) + wave[0] sin(wave[1] u + wave[2] v + wave[3]) + fold[0] |fold[1] u + fold[2] v + fold[3]|
    + dome max(1 - r^2, 0)``, r being 1 on the mask's outline.
    """

    plane: Tensor  # (B, K, 3)
    wave: Tensor  # (B, K, 4)
    fold: Tensor  # (B, K, 4)
    dome: Tensor  # (B, K)
    centre: Tensor  # (B, K, 2) of the mask, in px from the middle of the first image
    radius: Tensor  # (B, K, 2) px; UNBOUNDED_PX without a mask
    angle: Tensor  # (B, K)
    power: Tensor  # (B, K) of the superellipse
    texture: Tensor  # (B, K)
    axes: Tensor  # (B, K, 2, 3): texture px per unit of X
    offset: Tensor  # (B, K, 2) texture px
    tone: Tensor  # (B, K, 2): mean and contrast
    rotation: Tensor  # (B, 3, 3): second from first
    translation: Tensor  # (B, 3)
    focal_px: Tensor  # (B, 2) of both cameras

    def to(self, device: torch.device) -> Planes:
        return Planes(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(Planes)))

    def only(self, b: int) -> Planes:
        """Scene ``b`` by itself."""
        return Planes(*(getattr(self, field.name)[b : b + 1] for field in fields(Planes)))


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
    rendered_share: float = 0.15  # of the batches, from the stereo generator
    turned_share: float = 0.0  # of the other scenes: second cameras that roll over the whole circle and zoom to 2.5

    def __call__(self, index: int) -> TwoViewScenes:
        rng = np.random.default_rng([self.seed, index, 2])
        seed = int(rng.integers(2**62))
        if rng.random() < self.rendered_share:
            return TwoViewScenes(None, SceneSampler(self.size, self.batch, self.textures, seed=self.seed)(index), seed)
        scenes = [_sample_scene(rng, self.size, self.textures, self.turned_share) for _ in range(self.batch)]
        return TwoViewScenes(_pack(scenes), None, seed)


def _sample_scene(
    rng: np.random.Generator, size: tuple[int, int], textures: int, turned_share: float
) -> dict[str, Array]:
    """Fields of Planes, without the batch axis."""
    focal = max(size) * rng.uniform(0.7, 1.5)
    planes = _shell(rng)
    things = 0 if rng.random() < 0.2 else int(rng.integers(3, 10))
    surfaces = [_surface(rng, size, focal, plane, bounded=False, bent=k < BENT) for k, plane in enumerate(planes)]
    for k in range(len(planes), len(planes) + things):
        inverse = rng.uniform(0.7, 2.2)
        plane = np.array([*rng.uniform(-0.7, 0.7, 2) * inverse, inverse])
        surfaces.append(_surface(rng, size, focal, plane, bounded=True, bent=k < BENT))
    scene = {name: np.stack([surface[name] for surface in surfaces]) for name in surfaces[0]}
    scene["texture"] = rng.integers(textures, size=len(surfaces)).astype(float)
    rotation, translation = _motion(rng)
    zoom = np.exp(rng.uniform(-0.25, 0.25)) if rng.random() < 0.4 else 1.0
    if turned_share and rng.random() < turned_share:
        roll, zoom = _roll_and_zoom(rng)
        rotation, translation = roll @ rotation, roll @ translation
    return scene | {"rotation": rotation, "translation": translation, "focal_px": np.array([focal, focal * zoom])}


def _shell(rng: np.random.Generator) -> list[Array]:
    """The planes that everything stands before: a single one, or a ground, walls and an end."""
    inverse = rng.uniform(0.4, 1.0)
    end = np.array([*rng.uniform(-0.5, 0.5, 2) * inverse, inverse])
    if rng.random() < 0.45:
        return [end]
    sides = [[0.0, 1 / rng.uniform(0.25, 0.8), 0.0]]
    sides += [[way / rng.uniform(0.35, 1.2), 0.0, 0.0] for way in (-1, 1) if rng.random() < 0.5]
    end = np.array([rng.uniform(-0.3, 0.3), rng.uniform(-0.1, 0.1), 1.0]) * rng.uniform(0.35, 0.9)
    rotation = about(2, rng.normal(0, 0.08)) @ about(0, rng.normal(0, 0.25)) @ about(1, rng.normal(0, 0.25))
    return [rotation @ np.array(plane) for plane in [end, *sides]]


def _surface(
    rng: np.random.Generator, size: tuple[int, int], focal: float, plane: Array, bounded: bool, bent: bool
) -> dict[str, Array]:
    spin, strength = rng.uniform(-np.pi, np.pi), float(np.linalg.norm(plane))
    density = focal * strength * np.exp(rng.uniform(-0.9, 0.7))
    first = np.cross(plane / strength, [0.0, 1.0, 0.0] if abs(plane[1]) < 0.8 * strength else [0.0, 0.0, 1.0])
    first /= np.linalg.norm(first)
    second = np.cross(plane / strength, first)
    axes = np.stack([np.cos(spin) * first + np.sin(spin) * second, np.cos(spin) * second - np.sin(spin) * first])
    contrast = rng.choice([rng.uniform(0.5, 1.2), rng.uniform(0.1, 0.5)], p=[0.8, 0.2])
    return _bend(rng, plane, bounded, bent) | {
        "plane": plane,
        "centre": rng.uniform(-0.5, 0.5, 2) * size if bounded else np.zeros(2),
        "radius": size[1] * np.exp(rng.uniform(np.log(0.06), np.log(0.5), 2)) if bounded else np.full(2, UNBOUNDED_PX),
        "angle": np.asarray(rng.uniform(0, np.pi)),
        "power": np.asarray(rng.choice([2.0, 4.0, 8.0])),
        "axes": axes * density,
        "offset": rng.uniform(-400, 400, 2),
        "tone": np.array([rng.uniform(0.25, 0.75), contrast]),
    }


def _bend(rng: np.random.Generator, plane: Array, bounded: bool, bent: bool) -> dict[str, Array]:
    """Waves, an edge across or a dome, each in some of the surfaces that may have them."""
    depth = abs(plane[2])
    wave, fold, dome = np.zeros(4), np.zeros(4), 0.0
    if bent and rng.random() < 0.5:
        frequency, way = np.exp(rng.uniform(np.log(3), np.log(25))), rng.uniform(0, np.pi)
        height = depth * rng.uniform(0.2, 1) * min(0.12, 0.6 / frequency)
        wave = np.array([height, frequency * np.cos(way), frequency * np.sin(way), rng.uniform(-np.pi, np.pi)])
    if bent and rng.random() < 0.4:
        way = rng.uniform(0, np.pi)
        slope = depth * rng.uniform(-0.8, 0.5)
        fold = np.array([slope, np.cos(way), np.sin(way), rng.uniform(-0.3, 0.3)])
    if bent and bounded and rng.random() < 0.3:
        dome = depth * rng.uniform(0.05, 0.3)
    return {"wave": wave, "fold": fold, "dome": np.asarray(dome)}


def _motion(rng: np.random.Generator) -> tuple[Array, Array]:
    """The second camera looks roughly at the same spot, from elsewhere; some turn more, some about their axis."""
    strength = rng.uniform(0, 1) ** 1.3
    place = rng.uniform(-1, 1, 3) * np.array([0.5, 0.3, 0.45]) * strength
    view = np.array([0, 0, 1.2]) - place
    loose = 0.06 if rng.random() < 0.7 else 0.18
    yaw = np.arctan2(view[0], view[2]) + rng.normal(0, loose)
    pitch = np.arctan2(-view[1], np.hypot(view[0], view[2])) + rng.normal(0, 0.7 * loose)
    roll = rng.normal(0, 0.06) if rng.random() < 0.85 else rng.uniform(-0.6, 0.6)
    rotation = about(2, roll) @ about(0, -pitch) @ about(1, -yaw)
    return rotation, -rotation @ place


def _roll_and_zoom(rng: np.random.Generator) -> tuple[Array, float]:
    """A roll over the whole circle, a zoom between 1 / MOST_ZOOM and MOST_ZOOM, or both; a third each."""
    kind = rng.integers(3)
    roll = about(2, rng.uniform(-np.pi, np.pi)) if kind != 1 else np.eye(3)
    return roll, float(np.exp(rng.uniform(-1, 1) * np.log(MOST_ZOOM))) if kind != 0 else 1.0


def about(axis: int, angle: float) -> Array:
    """Rotation about the x, y or z axis."""
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[j, i] = np.sin(angle)
    matrix[i, j] = -np.sin(angle)
    return matrix


_PER_SCENE = ("rotation", "translation", "focal_px")
_SHAPE = ("plane", "wave", "fold", "dome")


def _pack(scenes: list[dict[str, Array]]) -> Planes:
    """Short scenes are filled with surfaces that no ray meets."""
    longest = max(len(scene["plane"]) for scene in scenes)
    return Planes(
        *(
            torch.from_numpy(np.stack([_filled(scene, field.name, longest) for scene in scenes]).astype(np.float32))
            for field in fields(Planes)
        )
    )


def _filled(scene: dict[str, Array], name: str, count: int) -> Array:
    value = scene[name]
    if name in _PER_SCENE or len(value) == count:
        return value
    more = np.repeat(value[:1], count - len(value), 0)
    return np.concatenate([value, np.zeros_like(more) if name in _SHAPE else more])
