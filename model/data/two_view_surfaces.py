"""Textured surfaces of scenes for two-view matching: planes, some of them wavy, folded or domed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

UNBOUNDED_PX = 1e6
BENT = 5
"""Of each scene the first so many surfaces may be bent, which costs several times the time of a plane."""


def surface(
    rng: np.random.Generator, size: tuple[int, int], focal: float, plane: Array, bounded: bool, bent: bool
) -> dict[str, Array]:
    """Fields of Planes of one surface; ``bounded``: cut out by a mask, else without end."""
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
        "tile": np.zeros(3),
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


def about(axis: int, angle: float) -> Array:
    """Rotation about the x, y or z axis."""
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[j, i] = np.sin(angle)
    matrix[i, j] = -np.sin(angle)
    return matrix
