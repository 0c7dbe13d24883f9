"""Baked lighting: soft shadows and ambient occlusion of still light, computed once per surface.

Surfaces are matt (Lambert), so their brightness does not depend on the viewer: both cameras of the
rig see the same thing, and rendering a frame costs no lighting at all.
"""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.app.simulation.scene import Quad, Scene, Sphere, Surface
from roma_device.calibration.arrays import FloatArray, FloatImage, Mask


class Occluders:
    """All surfaces of a scene as arrays."""

    def __init__(self, scene: Scene) -> None:
        quads = [surface for surface in scene.surfaces if isinstance(surface, Quad)]
        self._sides = np.array([[quad.half_u_m, quad.half_v_m, quad.centre_m] for quad in quads]).reshape(-1, 3, 3)
        self._balls = [surface for surface in scene.surfaces if isinstance(surface, Sphere)]
        reach = np.abs(self._sides[:, 0]) + np.abs(self._sides[:, 1])
        self._least, self._greatest = self._sides[:, 2] - reach, self._sides[:, 2] + reach
        normals = np.cross(self._sides[:, 0], self._sides[:, 1])
        self._local = np.linalg.inv(np.stack([self._sides[:, 0], self._sides[:, 1], normals], axis=2))

    def hide_from(self, viewpoint_m: FloatArray, points: FloatArray) -> Mask:
        """Which of the points (N, 3) cannot be seen from a viewpoint (3,), such as a lamp.

        Rectangles that turn their back to it are skipped: what they hide, the front of a box or a wall
        hides as well.
        """
        sides = self._sides - [np.zeros(3), np.zeros(3), viewpoint_m]
        planes = np.linalg.inv(sides[np.linalg.det(sides) > 1e-9].transpose(0, 2, 1)).astype(np.float32)
        steps = points - viewpoint_m
        local = (planes.reshape(-1, 3) @ steps.T.astype(np.float32)).reshape(-1, 3, len(points))
        inverse = local[:, 2]
        inside = (np.abs(local[:, 0]) <= inverse) & (np.abs(local[:, 1]) <= inverse) & (inverse > 1)
        hidden: Mask = inside.any(axis=0)
        for ball in self._balls:
            hidden |= _enters(ball, np.broadcast_to(viewpoint_m, steps.shape), steps)
        return hidden

    def block(self, points: FloatArray, steps: FloatArray) -> Mask:
        """Which segments from points (N, 3) along steps (N, S, 3) meet a surface: (N, S)."""
        origins, segments = np.repeat(points, steps.shape[1], axis=0), steps.reshape(-1, 3)
        ends = origins + segments
        least, greatest = np.minimum(origins, ends).min(axis=0), np.maximum(origins, ends).max(axis=0)
        near = ((self._least <= greatest) & (self._greatest >= least)).all(axis=1)
        blocked = np.zeros(len(origins), bool)
        for side, local in zip(self._sides[near], self._local[near], strict=True):
            blocked |= _crosses(side[2], local, origins, segments)
        for ball in self._balls:
            if (np.abs(ball.centre_m - (least + greatest) / 2) <= (greatest - least) / 2 + ball.radius_m).all():
                blocked |= _enters(ball, origins, segments)
        return blocked.reshape(steps.shape[:2])


def _crosses(centre_m: FloatArray, local: FloatArray, origins: FloatArray, steps: FloatArray) -> Mask:
    """Which segments (N, 3) cross the rectangle whose own axes ``local`` (3, 3) turns the world into."""
    start, step = local @ (origins - centre_m).T, local @ steps.T
    share = -start[2] / np.where(step[2] == 0, 1e-12, step[2])
    u, v = start[0] + share * step[0], start[1] + share * step[1]
    return np.asarray((share > 0) & (share < 1) & (np.abs(u) <= 1) & (np.abs(v) <= 1))


def _enters(ball: Sphere, origins: FloatArray, steps: FloatArray) -> Mask:
    """Which segments (N, 3) enter the ball."""
    offset = origins - ball.centre_m
    length = np.einsum("ij,ij->i", steps, steps)
    share = np.clip(-np.einsum("ij,ij->i", offset, steps) / length, 0, 1)
    nearest = offset + share[:, None] * steps
    return np.asarray((share > 0) & (np.einsum("ij,ij->i", nearest, nearest) < ball.radius_m**2))


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
