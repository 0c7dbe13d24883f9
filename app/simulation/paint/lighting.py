"""Baked lighting: soft shadows and ambient occlusion of still light, computed once per surface.

Surfaces are matt (Lambert), so their brightness does not depend on the viewer: both cameras of the
rig see the same thing, and rendering a frame costs no lighting at all.
"""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.app.simulation.scene import Scene, Surface
from roma_device.calibration.arrays import FloatArray, FloatImage

from .shadows import Occluders

CELL_M = 0.1
MOST_CELLS = 32
LAMP_SAMPLES = 12
CORNER_SAMPLES = 16
CORNER_REACH_M = 0.7
"""Things nearer than this keep light of the surroundings away."""


class Lighting:
    """The light of a scene."""

    def __init__(self, scene: Scene) -> None:
        self._light, self._occluders = scene.light, Occluders(scene)

    def on(self, surface: Surface, rng: np.random.Generator) -> FloatImage:
        """BGR factors (h, w, 3) over a surface, h and w being small: enlarge it smoothly."""
        width, height = (int(np.clip(round(side / CELL_M), 4, MOST_CELLS)) for side in surface.extent_m)
        v, u = (2 * (np.mgrid[:height, :width] + 0.5) / [[[height]], [[width]]] - 1).reshape(2, -1)
        points, normals = surface.surface_at(u, v)
        points = points + 1e-3 * normals
        lamp = self._lamp_share(points, normals, rng)[:, None] * np.array(self._light.colour)
        around = self._open_share(points, normals, rng)[:, None] * np.array(self._light.ambient)
        factors = (lamp + around).reshape(height, width, 3).astype(np.float32)
        return np.asarray(cv2.GaussianBlur(factors, (3, 3), 0.7))

    def _lamp_share(self, points: FloatArray, normals: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Share (N,) of the lamp's light that arrives: its visible part, slant and distance."""
        total = np.zeros(len(points))
        for spot in self._light.position_m + self._light.radius_m * _sphere_points(LAMP_SAMPLES, rng):
            distance = np.linalg.norm(spot - points, axis=1)
            slant = np.einsum("ni,ni->n", spot - points, normals) / distance
            lit = slant > 0
            if lit.any():
                lit[lit] = ~self._occluders.hide_from(spot, points[lit])
            total += slant * lit / (1 + (distance / self._light.reach_m) ** 2)
        return total / LAMP_SAMPLES

    def _open_share(self, points: FloatArray, normals: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Share (N,) of the surroundings that is not hidden by something near."""
        steps = 1.02 * normals[:, None] + _sphere_points(CORNER_SAMPLES, rng)
        steps *= CORNER_REACH_M / np.linalg.norm(steps, axis=2, keepdims=True)
        return np.asarray(1 - 0.8 * self._occluders.block(points, steps).mean(axis=1))


def _sphere_points(count: int, rng: np.random.Generator) -> FloatArray:
    """Evenly spread unit vectors (count, 3), turned at random (Fibonacci's spiral)."""
    height = 1 - (2 * np.arange(count) + 1) / count
    azimuth = np.pi * (1 + 5**0.5) * np.arange(count) + rng.uniform(0, 2 * np.pi)
    flat = np.sqrt(1 - height**2)
    return np.column_stack([flat * np.cos(azimuth), height, flat * np.sin(azimuth)])
