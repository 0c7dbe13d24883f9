"""Random scenes for two-view matching: textured surfaces in space, and the relative pose of the second camera.

A room or street is a ground, two walls and an end, of which the nearest is seen; things stand before it, cut out by
masks. Surfaces may be wavy, domed or folded like the edge of a box. Depths are about 1, so that motions and depths
compare.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from .stereo_pairs import SceneBatch, SceneSampler
from .two_view_facades import FAR_REACH, MOST_RELIT, facade
from .two_view_motion import motion, roll_and_zoom
from .two_view_surfaces import BENT, Array, about, surface


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
    tile: Tensor  # (B, K, 3): texture px after which it repeats, along both axes (0: never), and the share that does
    rotation: Tensor  # (B, 3, 3): second from first
    translation: Tensor  # (B, 3)
    focal_px: Tensor  # (B, 2) of both cameras
    relit: Tensor  # (B,) by how much the light of the second view differs from place to place, in natural logarithms

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
    facade_share: float = 0.0  # of the other scenes: facades of repeated windows, from far aside and in other light

    def __call__(self, index: int) -> TwoViewScenes:
        rng = np.random.default_rng([self.seed, index, 2])
        seed = int(rng.integers(2**62))
        if rng.random() < self.rendered_share:
            return TwoViewScenes(None, SceneSampler(self.size, self.batch, self.textures, seed=self.seed)(index), seed)
        return TwoViewScenes(_pack([self._scene(rng) for _ in range(self.batch)]), None, seed)

    def _scene(self, rng: np.random.Generator) -> dict[str, Array]:
        """Fields of Planes, without the batch axis."""
        focal = max(self.size) * rng.uniform(0.7, 1.5)
        is_facade = self.facade_share > 0 and rng.random() < self.facade_share
        surfaces = facade(rng, self.size, focal) if is_facade else _surfaces(rng, self.size, focal)
        scene = {name: np.stack([one[name] for one in surfaces]) for name in surfaces[0]}
        scene["texture"] = rng.integers(self.textures, size=len(surfaces)).astype(float)
        rotation, translation = motion(rng, FAR_REACH) if is_facade else motion(rng)
        zoom = np.exp(rng.uniform(-0.25, 0.25)) if rng.random() < 0.4 else 1.0
        if self.turned_share and rng.random() < self.turned_share:
            roll, zoom = roll_and_zoom(rng)
            rotation, translation = roll @ rotation, roll @ translation
        cameras = {"rotation": rotation, "translation": translation, "focal_px": np.array([focal, focal * zoom])}
        return scene | cameras | {"relit": np.asarray(MOST_RELIT * rng.random() if is_facade else 0.0)}


def _surfaces(rng: np.random.Generator, size: tuple[int, int], focal: float) -> list[dict[str, Array]]:
    """Of a room, a street or a single plane, with things before it."""
    planes = _shell(rng)
    things = 0 if rng.random() < 0.2 else int(rng.integers(3, 10))
    surfaces = [surface(rng, size, focal, plane, bounded=False, bent=k < BENT) for k, plane in enumerate(planes)]
    for k in range(len(planes), len(planes) + things):
        inverse = rng.uniform(0.7, 2.2)
        plane = np.array([*rng.uniform(-0.7, 0.7, 2) * inverse, inverse])
        surfaces.append(surface(rng, size, focal, plane, bounded=True, bent=k < BENT))
    return surfaces


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


_PER_SCENE = ("rotation", "translation", "focal_px", "relit")
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
