"""Random layouts of surfaces for synthetic stereo pairs: clutter, rooms and streets.

A surface is written in disparity, as a function of the left image: a plane in space has an affine
disparity, since disparity is proportional to 1/Z. Bumps and domes bend it; a mask cuts it out.
Coordinates are pixels from the middle of the left image.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch

Description = dict[str, object]
"""Fields of one surface, by name."""
Layout = tuple[list[Description], list[Description]]
"""Background and objects."""
UNBOUNDED_PX = 1e6
MOST_POSTS = 40
EDGES = 8
"""Straight edges that may cut a surface out."""
CLOSE_NEAREST = 0.3
"""Least nearest disparity of a scene that ends close by, as a share of the greatest."""
MAX_SLOPE = 0.75
"""Steepest |d disparity / dx|: below 1 the right view sees each left pixel at most once."""


@dataclass(slots=True)
class Surfaces:
    """K surfaces of each of B scenes; leading axes (B, K), or broadcastable ones while rendering."""

    plane: torch.Tensor  # (B, K, 3): d = p0 + p1 x + p2 y
    bump: torch.Tensor  # (B, K, 4): amplitude px, frequency x, frequency y (rad/px), phase
    dome_px: torch.Tensor  # (B, K): height of a paraboloid over the mask's ellipse
    centre: torch.Tensor  # (B, K, 2)
    radius: torch.Tensor  # (B, K, 2)
    angle: torch.Tensor  # (B, K)
    power: torch.Tensor  # (B, K): of the superellipse; 2 ellipse, 8 box
    wobble: torch.Tensor  # (B, K, 3): relative amplitude, lobes, phase of the outline
    holes: torch.Tensor  # (B, K, 3): rad/px along both axes of the mask, threshold (-2: none)
    texture: torch.Tensor  # (B, K): index into the atlas
    density: torch.Tensor  # (B, K): texture pixels per image pixel at the surface's middle
    offset: torch.Tensor  # (B, K, 2): texture pixels
    spin: torch.Tensor  # (B, K): rotation of the texture within the surface
    tone: torch.Tensor  # (B, K, 4): mean, contrast, shading gradient x, y per px
    gloss: torch.Tensor  # (B, K, 3): strength of the reflection (0: dull), its texture, its share of the disparity
    ridge: torch.Tensor  # (B, K): 1 where the dome bends along the mask's first axis alone, as a can does; else 0
    edges: torch.Tensor  # (B, K, 8, 3): half-planes a x + b y + c >= 0 that cut the surface out besides the mask

    def map(self, function: object) -> Surfaces:
        return Surfaces(*(function(getattr(self, field.name)) for field in fields(self)))  # type: ignore[operator]


def sample_surfaces(
    rng: np.random.Generator, size: tuple[int, int], max_disparity: float, textures: int, close_share: float = 0.0
) -> list[Description]:
    """One scene as a list of surfaces, background first; ``size`` is (width, height).

    ``close_share`` of the scenes end close by: the strip that only the left camera sees is then wide.
    """
    layout = rng.choice(list(_LAYOUTS), p=[0.27, 0.22, 0.22, 0.17, 0.12])
    near = float(np.exp(rng.uniform(np.log(8), np.log(max_disparity))))
    if close_share and rng.random() < close_share:
        near = rng.uniform(CLOSE_NEAREST * max_disparity, max_disparity)
        background, objects = _closed(rng, size, near)
        return _finished(rng, background, objects, textures, ALIKE["clutter"])
    background, objects = _LAYOUTS[layout](rng, size, near)
    return _finished(rng, background, objects, textures, ALIKE[layout])


def _finished(
    rng: np.random.Generator,
    background: list[Description],
    objects: list[Description],
    textures: int,
    alike: float,
) -> list[Description]:
    walls = [dressed(rng, surface, textures) for surface in background]
    things = [dressed(rng, surface, textures) for surface in objects]
    if things and rng.random() < alike:
        _make_alike(rng, things)
    return walls + things


def _unbounded(plane: list[float], bump: list[float] | None = None) -> Description:
    return {"plane": plane, "bump": bump or [0, 0, 0, 0], "centre": [0, 0], "radius": [UNBOUNDED_PX] * 2}


def _clutter(rng: np.random.Generator, size: tuple[int, int], near: float) -> Layout:
    width, height = size
    far = near * rng.uniform(0.05, 0.7)
    slope = far * rng.uniform(-0.8, 0.8, 2) / np.array([width, height])
    back = _unbounded([far, *slope], _bump(rng, 0.15 * far, width) if rng.random() < 0.3 else None)
    return [back], [_object(rng, size, far, near) for _ in range(rng.integers(3, 15))]


def _closed(rng: np.random.Generator, size: tuple[int, int], near: float) -> Layout:
    """Things before a wall or in a corner that is itself near."""
    width, height = size
    far = near * rng.uniform(0.45, 0.9)
    slope = far * rng.uniform(-0.6, 0.6, 2) * (rng.random() < 0.7) / np.array([width, height])
    planes = [_unbounded([far, *slope], _bump(rng, 0.1 * far, width) if rng.random() < 0.15 else None)]
    if rng.random() < 0.5:  # what the things stand on
        steep = near * rng.uniform(0.2, 0.8) / height
        planes.append(_unbounded([far - steep * height * rng.uniform(0.0, 0.4), 0, steep]))
    if rng.random() < 0.3:
        steep = rng.choice([-1, 1]) * min(near * rng.uniform(0.3, 0.8) / width, MAX_SLOPE)
        planes.append(_unbounded([far - abs(steep) * width * rng.uniform(0.1, 0.45), steep, 0]))
    return planes, [_object(rng, size, far, near) for _ in range(rng.integers(0, 13))]


def _room(rng: np.random.Generator, size: tuple[int, int], near: float) -> Layout:
    """Back wall, floor, ceiling and side walls: inside a convex room the nearest plane is seen."""
    width, height = size
    back = near * rng.uniform(0.1, 0.5)
    wall = _unbounded([back, back * rng.uniform(-0.6, 0.6) / width, back * rng.uniform(-0.3, 0.3) / height])
    planes = [wall]
    for direction, extent, chance in ((1, height, 0.8), (-1, height, 0.35)):
        if rng.random() < chance:
            start, edge = rng.uniform(0.05, 0.42), near * rng.uniform(0.6, 1.1)  # from the wall to the image's edge
            slope = (edge - back) / (extent * (0.5 - start))
            planes.append(_unbounded([back - slope * extent * start, 0, direction * slope]))
    for direction in (1, -1):
        if rng.random() < 0.4:
            slope = min(near * rng.uniform(0.7, 2.0) / width, MAX_SLOPE)
            planes.append(_unbounded([back - slope * width * rng.uniform(0.1, 0.45), direction * slope, 0]))
    return planes, [_object(rng, size, back, near) for _ in range(rng.integers(2, 11))]


def _street(rng: np.random.Generator, size: tuple[int, int], near: float) -> Layout:
    """Ground to a horizon, sky, façades along the road, upright things that stand on the ground."""
    width, height = size
    horizon = height * rng.uniform(-0.25, 0.15)
    ground = near * rng.uniform(0.8, 1.6) / (height / 2 - horizon)
    tilt = ground * rng.uniform(-0.06, 0.06)
    planes = [_unbounded([rng.uniform(0, 0.03) * near, 0, 0]), _unbounded([-ground * horizon, tilt, ground])]
    for direction in (1, -1):
        if rng.random() < 0.6:
            slope = min(near * rng.uniform(0.6, 2.0) / width, MAX_SLOPE)
            planes.append(_unbounded([-slope * width * rng.uniform(0.0, 0.4), direction * slope, 0]))
    return planes, [_standing(rng, size, horizon, ground, near) for _ in range(rng.integers(3, 12))]


def _thicket(rng: np.random.Generator, size: tuple[int, int], near: float) -> Layout:
    """Leaves, twigs or fences: many slender things at all depths before one another."""
    [back], _ = _clutter(rng, size, near)
    far = max(float(back["plane"][0]), 0.1 * near)  # type: ignore[index]
    lean = rng.uniform(0, np.pi)
    return [back], [_slender(rng, size, min(far, near), near, lean) for _ in range(rng.integers(15, 36))]


def _slender(rng: np.random.Generator, size: tuple[int, int], far: float, near: float, lean: float) -> Description:
    """An elongated thing whose long axis is near the angle ``lean``."""
    surface = _object(rng, size, far, near)
    long = size[1] * np.exp(rng.uniform(np.log(0.08), np.log(0.5)))
    radius = np.array([long, max(long * rng.uniform(0.06, 0.35), 1.0)])
    centre, plane = np.asarray(surface["centre"], dtype=float), np.asarray(surface["plane"], dtype=float)
    middle = plane[0] + plane[1:] @ centre
    slope = rng.uniform(-1, 1, 2) * min(0.3, 0.25 * middle / long)
    angle = lean + rng.normal(0, 0.5)
    return {**surface, "plane": [middle - slope @ centre, *slope], "radius": radius, "dome_px": 0.0, "angle": angle}


def _railing(rng: np.random.Generator, size: tuple[int, int], near: float) -> Layout:
    """A row of equal posts at equal distances before something else: each matches the next one as well."""
    [back], objects = _clutter(rng, size, near)
    width, height = size
    far = min(max(float(back["plane"][0]), 0.1 * near), near)  # type: ignore[index]
    pitch = np.exp(rng.uniform(np.log(0.02), np.log(0.15))) * width
    middle = far + (near - far) * rng.uniform(0.1, 1)
    slope, row = rng.uniform(-0.5, 0.5) * middle / width, rng.uniform(-0.3, 0.3) * height
    post: Description = {
        **_object(rng, size, far, near),
        **{"bump": [0, 0, 0, 0], "dome_px": 0.0, "angle": 0.0, "power": 10.0, "wobble": [0, 2, 0], "holes": [0, 0, -2]},
        "tone": [rng.uniform(0.1, 0.9), rng.uniform(0, 0.1), 0, 0],
        "radius": np.array([pitch * rng.uniform(0.1, 0.4), height * rng.uniform(0.1, 0.6)]),
    }
    places = np.arange(-0.55 * width + rng.uniform(0, pitch), 0.55 * width, pitch)[:MOST_POSTS]
    posts: list[Description] = [{**post, "plane": [middle + slope * x, 0, 0], "centre": [x, row]} for x in places]
    return [back], posts + objects[: rng.integers(0, 3)]


_LAYOUTS = {"clutter": _clutter, "room": _room, "street": _street, "thicket": _thicket, "railing": _railing}
GLOSSY = 0.06
"""Share of surfaces that mirror."""
ALIKE = {"clutter": 0.2, "room": 0.2, "street": 0.2, "thicket": 0.7, "railing": 0.0}
"""How often the things of a scene share a few looks, so that their outlines stand out little from one another."""


def _make_alike(rng: np.random.Generator, things: list[Description]) -> None:
    """Give all ``things`` the texture and nearly the tone of one to three among them."""
    models = [things[i] for i in rng.integers(len(things), size=rng.integers(1, 4))]
    for thing in things:
        model = models[rng.integers(len(models))]
        mean, contrast, *gradient = model["tone"]
        thing["texture"], thing["density"] = model["texture"], model["density"]
        thing["tone"] = [float(np.clip(mean + rng.normal(0, 0.06), 0.1, 0.9)), contrast, *gradient]


def _bump(rng: np.random.Generator, limit_px: float, extent: float) -> list[float]:
    """A wave whose slope stays below 0.3 px per px."""
    frequency = np.exp(rng.uniform(np.log(0.5), np.log(6))) * 2 * np.pi / extent
    direction = rng.uniform(0, 2 * np.pi)
    amplitude = min(limit_px * rng.uniform(0.1, 1), 0.3 / frequency)
    return [amplitude, frequency * np.cos(direction), frequency * np.sin(direction), rng.uniform(0, 2 * np.pi)]


def _object(rng: np.random.Generator, size: tuple[int, int], far: float, near: float) -> Description:
    width, height = size
    extent = height * np.exp(rng.uniform(np.log(0.04), np.log(0.6), 2))
    if rng.random() < 0.15:  # a thin pole, cable or edge
        extent[rng.integers(2)] = rng.uniform(1.0, 4.0)
    middle = far + (near - far) * rng.uniform(0.02, 1) ** 1.5
    slope = rng.uniform(-1, 1, 2) * min(0.6, 0.5 * middle / extent.max()) * (rng.random() < 0.7)
    centre = rng.uniform(-0.55, 0.55, 2) * [width, height]
    dome = rng.uniform(0.05, 0.3) * min(extent.min(), middle) if rng.random() < 0.3 else 0.0
    return {
        "plane": [middle - slope @ centre, *slope],
        "bump": _bump(rng, 0.1 * middle, extent.max() * 2) if rng.random() < 0.25 else [0, 0, 0, 0],
        "dome_px": dome,
        "centre": centre,
        "radius": extent,
    }


def _standing(
    rng: np.random.Generator, size: tuple[int, int], horizon: float, ground: float, near: float
) -> Description:
    """An upright thing whose foot touches the ground at its disparity."""
    surface = _object(rng, size, 0.03 * near, near)
    extent = np.asarray(surface["radius"], dtype=float)
    middle = float(np.clip(near * rng.uniform(0.05, 1) ** 1.5, 1, None))
    foot = horizon + middle / ground
    centre = np.array([rng.uniform(-0.55, 0.55) * size[0], foot - extent[1] * 0.9])
    slope = np.array([rng.uniform(-1, 1) * min(0.5, 0.4 * middle / extent[0]) * (rng.random() < 0.5), 0.0])
    return {**surface, "plane": [middle - slope @ centre, *slope], "centre": centre, "bump": [0, 0, 0, 0]}


def dressed(rng: np.random.Generator, surface: Description, textures: int) -> Description:
    """Add outline, texture and shading to a geometry."""
    contrast = rng.choice([rng.uniform(0.5, 1.3), rng.uniform(0.15, 0.5), rng.uniform(0, 0.1)], p=[0.7, 0.2, 0.1])
    holes = [*(2 * np.pi / rng.uniform(6, 40, 2)), rng.uniform(-0.4, 0.6)] if rng.random() < 0.07 else [0, 0, -2]
    gradient = rng.uniform(-0.6, 0.6, 2) / 400 if rng.random() < 0.6 else np.zeros(2)
    return {
        "dome_px": 0.0,
        "angle": rng.uniform(0, np.pi) if rng.random() < 0.6 else 0.0,
        "power": float(rng.choice([1.2, 2.0, 2.0, 4.0, 10.0])),
        "wobble": [rng.uniform(0, 0.35) * (rng.random() < 0.5), rng.integers(2, 9), rng.uniform(0, 2 * np.pi)],
        "holes": holes,
        "texture": int(rng.integers(textures)),
        "density": np.exp(rng.uniform(np.log(0.4), np.log(2.0))),
        "offset": rng.uniform(-400, 400, 2),
        "spin": rng.uniform(-np.pi, np.pi) if rng.random() < 0.5 else rng.choice([0, np.pi / 2]),
        "tone": [rng.uniform(0.2, 0.8), contrast, *gradient],
        "gloss": _gloss(rng, textures) if rng.random() < GLOSSY else [0, 0, 1],
        "ridge": 0.0,
        "edges": [[0, 0, 1]] * EDGES,
        **surface,
    }


def _gloss(rng: np.random.Generator, textures: int) -> list[float]:
    """What a polished surface shows besides itself: something that seems to lie behind it."""
    return [rng.uniform(0.05, 0.35), float(rng.integers(textures)), rng.uniform(0.2, 0.9)]


def pack(scenes: list[list[Description]]) -> Surfaces:
    """Stack scenes into (B, K) tensors; short scenes are filled with surfaces that nothing can see."""
    longest = max(map(len, scenes))
    nowhere = {"plane": [-1e4, 0, 0], "bump": [0, 0, 0, 0], "centre": [-UNBOUNDED_PX, 0], "radius": [1, 1]}
    hidden = {**scenes[0][0], **nowhere, "dome_px": 0.0}
    full = [scene + [hidden] * (longest - len(scene)) for scene in scenes]
    return Surfaces(
        *(
            torch.from_numpy(np.array([[np.asarray(s[field.name], np.float32) for s in scene] for scene in full]))
            for field in fields(Surfaces)
        )
    )
