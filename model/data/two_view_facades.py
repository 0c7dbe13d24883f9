"""Facades for two-view matching: a wall whose windows repeat, ledges and signs, seen from far aside in other light.

Photographs of one building by many cameras are such pairs: what repeats says little, and what differs between two
windows, and where the wall ends, decides.
"""

from __future__ import annotations

import numpy as np

from .two_view_surfaces import Array, about, surface

FAR_REACH = np.array([1.1, 0.35, 0.6])
"""How far the second camera may stand aside, above and ahead; the wall is about 1.2 away."""
MOST_RELIT = 0.5
LEAST_REPEATED = 0.4


def facade(rng: np.random.Generator, size: tuple[int, int], focal: float) -> list[dict[str, Array]]:
    """Its surfaces: the wall, often a ground, and things before the wall, half of which are parallel to it."""
    turn = about(0, rng.normal(0, 0.12)) @ about(1, rng.uniform(-0.5, 0.5))
    wall = turn @ np.array([0, 0, rng.uniform(0.6, 1.1)])
    surfaces = [_with_windows(rng, surface(rng, size, focal, wall, bounded=False, bent=False))]
    if rng.random() < 0.6:
        ground = turn @ np.array([0.0, 1 / rng.uniform(0.25, 0.6), 0.0])
        surfaces.append(surface(rng, size, focal, ground, bounded=False, bent=False))
    for _ in range(int(rng.integers(1, 7))):
        plane = wall * rng.uniform(1.01, 1.3)
        if rng.random() < 0.5:
            plane = plane + np.array([*rng.uniform(-0.4, 0.4, 2), rng.uniform(0, 0.5)])
        surfaces.append(surface(rng, size, focal, plane, bounded=True, bent=False))
    return surfaces


def _with_windows(rng: np.random.Generator, wall: dict[str, Array]) -> dict[str, Array]:
    """The wall with a texture that repeats in part, upright."""
    normal = wall["plane"] / np.linalg.norm(wall["plane"])
    across = np.cross([0.0, 1.0, 0.0], normal)
    across /= np.linalg.norm(across)
    density = np.linalg.norm(wall["axes"][0])
    period = density * rng.uniform(0.05, 0.25) * np.exp(rng.uniform(-0.4, 0.4, 2))
    tile = np.array([*period, rng.uniform(LEAST_REPEATED, 1)])
    return wall | {"axes": np.stack([across, np.cross(normal, across)]) * density, "tile": tile}
