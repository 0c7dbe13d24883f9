"""Camera space: a scene's surfaces in the frame of one camera, computed once per image for all of them together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray
from roma_device.calibration.pose import Pose

from .scene import Quad, Scene, Sphere

NEAR_M = 0.02
CORNERS = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], np.float64)
"""Corners of a rectangle as factors of half_u, half_v and centre."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraSpaceBall:
    """A sphere in camera space."""

    number: int
    centre_m: FloatArray  # (3,)
    beyond: float  # squared length of the tangents from the camera, m^2
    ball_from_camera: FloatArray  # (3, 3) rotation over radius: to unit normals in the ball's own axes
    ranges: FloatArray  # (4,) as in CameraSpaceScene


@dataclass(frozen=True, slots=True, eq=False)
class CameraSpaceScene:
    """Scene in camera space: rectangles that face the camera, and all balls, each with its number in the scene.

    ``planes[n] @ (x, y, 1)`` is (u, v, 1) over depth along the ray (x, y, 1) on rectangle n.
    """

    numbers: IntArray  # (N,)
    planes: FloatArray  # (N, 3, 3)
    ranges: FloatArray  # (N, 4) least and greatest x, least and greatest y of rays that may meet it
    balls: tuple[CameraSpaceBall, ...]
    distance_m: FloatArray  # (surfaces + 1,) from the camera to each plane, or to each ball's centre


class SceneGeometry:
    """The geometry of a scene as arrays."""

    def __init__(self, scene: Scene) -> None:
        numbered = list(enumerate(scene.surfaces, start=1))
        quads = [(number, surface) for number, surface in numbered if isinstance(surface, Quad)]
        self._balls = [(number, surface) for number, surface in numbered if isinstance(surface, Sphere)]
        self._numbers = np.array([number for number, _ in quads], np.intp)
        self._sides = np.array([[quad.half_u_m, quad.half_v_m, quad.centre_m] for _, quad in quads]).reshape(-1, 3, 3)
        self._count = len(numbered)

    def in_camera_space(self, camera_from_world: Pose) -> CameraSpaceScene:
        """The surfaces in camera space."""
        sides = self._sides @ camera_from_world.rotation.T
        sides[:, 2] += camera_from_world.translation_m
        normals = np.cross(sides[:, 0], sides[:, 1])
        plane_m = np.einsum("ni,ni->n", sides[:, 2], normals) / np.linalg.norm(normals, axis=1)
        balls = tuple(_ball_in_camera(number, ball, camera_from_world) for number, ball in self._balls)
        distance_m = np.ones(self._count + 1)
        distance_m[self._numbers] = np.abs(plane_m)
        distance_m[[ball.number for ball in balls]] = [np.linalg.norm(ball.centre_m) for ball in balls]
        faces = plane_m > 1e-6  # the others are seen from behind, or along their plane
        planes = np.linalg.inv(sides[faces].transpose(0, 2, 1))
        return CameraSpaceScene(self._numbers[faces], planes, _quad_ranges(sides[faces]), balls, distance_m)


def _quad_ranges(sides: FloatArray) -> FloatArray:
    """Ranges (N, 4) of rectangles (N, 3, 3), after what lies behind the camera is cut off."""
    start = CORNERS @ sides
    end = np.roll(start, -1, axis=1)
    front = start[..., 2] >= NEAR_M
    crosses = front != np.roll(front, -1, axis=1)
    rise = np.where(crosses, end[..., 2] - start[..., 2], 1.0)
    cut = start + ((NEAR_M - start[..., 2]) / rise)[..., None] * (end - start)
    outline, kept = np.concatenate([start, cut], axis=1), np.concatenate([front, crosses], axis=1)[..., None]
    rays = outline[..., :2] / np.where(kept, outline[..., 2:], 1.0)
    least = np.where(kept, rays, np.inf).min(axis=1)
    greatest = np.where(kept, rays, -np.inf).max(axis=1)
    return np.stack([least[:, 0], greatest[:, 0], least[:, 1], greatest[:, 1]], axis=1)


def _ball_in_camera(number: int, ball: Sphere, camera_from_world: Pose) -> CameraSpaceBall:
    centre = camera_from_world.apply(ball.centre_m)
    rotation = ball.rotation.T @ camera_from_world.rotation.T / ball.radius_m
    ranges = [*_ball_range(centre[0], centre[2], ball.radius_m), *_ball_range(centre[1], centre[2], ball.radius_m)]
    return CameraSpaceBall(number, centre, float(centre @ centre) - ball.radius_m**2, rotation, np.array(ranges))


def _ball_range(side_m: float, forward_m: float, radius_m: float) -> tuple[float, float]:
    """Range of a ray coordinate that a ball covers, seen in the plane of this coordinate and z."""
    distance = float(np.hypot(side_m, forward_m))
    if forward_m <= -radius_m:
        return np.inf, -np.inf
    if distance <= radius_m:
        return -np.inf, np.inf
    middle, half = np.arctan2(side_m, forward_m), np.arcsin(radius_m / distance)
    low = np.tan(middle - half) if middle - half > -np.pi / 2 else -np.inf
    high = np.tan(middle + half) if middle + half < np.pi / 2 else np.inf
    return float(low), float(high)
