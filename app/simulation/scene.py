"""Scene description: flat rectangles, boxes and spheres, a lamp and the path of the rig through it.

The world is an optical frame: x right, y down, z forward, in metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose

from .textures import Painter

RATES = np.array([1.0, 1.7, 0.6])
"""Swings per period along x, y and z: not multiples of each other, so the path repeats late."""


Metres = tuple[float, float, float]
"""Along x, y and z."""


class Path(Protocol):
    """Trajectory of a rig's left camera."""

    @property
    def centre_m(self) -> FloatArray:
        """A place (3,) in the world that the way stays near to."""

    def world_from_camera(self, time_s: float) -> Pose:
        """Pose of the left optical frame at a time since the start."""


@dataclass(frozen=True, slots=True, eq=False)
class SwayingPath:
    """Trajectory of a camera that sways around a place and looks at a point that sways as well.

    Both are sums of sines, so position, speed and acceleration are smooth.
    """

    centre_m: FloatArray  # (3,) world
    sway_m: FloatArray  # (3,) amplitude
    target_m: FloatArray  # (3,) world
    target_sway_m: FloatArray  # (3,) amplitude
    roll_rad: float
    period_s: float
    phase_rad: FloatArray  # (3,)

    def world_from_camera(self, time_s: float) -> Pose:
        """Pose of the left optical frame at a time since the start."""
        angle = 2 * np.pi * RATES * time_s / self.period_s + self.phase_rad
        position = self.centre_m + self.sway_m * np.sin(angle)
        target = self.target_m + self.target_sway_m * np.cos(0.8 * angle)
        return look_at(position, target, self.roll_rad * float(np.sin(1.3 * angle[0])))


def swaying(
    rng: np.random.Generator, sway_m: Metres, target_m: Metres, target_sway_m: Metres, roll_deg: float, period_s: float
) -> SwayingPath:
    """About the origin, from a random moment of the period on."""
    amplitude, target, target_sway = (np.array(values) for values in (sway_m, target_m, target_sway_m))
    phase = rng.uniform(0, 2 * np.pi, 3)
    return SwayingPath(np.zeros(3), amplitude, target, target_sway, np.deg2rad(roll_deg), period_s, phase)


def look_at(position_m: FloatArray, target_m: FloatArray, roll_rad: float) -> Pose:
    """World from an optical frame at a position whose z axis meets the target; y points down (+y)."""
    z_axis = (target_m - position_m) / np.linalg.norm(target_m - position_m)
    x_axis = np.cross([0.0, 1.0, 0.0], z_axis)
    x_axis /= np.linalg.norm(x_axis)
    level = np.column_stack([x_axis, np.cross(z_axis, x_axis), z_axis])
    roll = Pose.from_rotation_vector([0, 0, roll_rad], np.zeros(3)).rotation
    return Pose(level @ roll, position_m)


SKY_M = 300.0
"""What lies farther than this is a backdrop: it is seen, and has no depth."""


@dataclass(frozen=True, slots=True, eq=False)
class Quad:
    """A rectangle that is seen from one side: u points right and v points down for who looks at it."""

    centre_m: FloatArray  # (3,)
    half_u_m: FloatArray  # (3,): from the centre to the middle of the right edge
    half_v_m: FloatArray  # (3,): from the centre to the middle of the lower edge
    paint: Painter
    detail: float = 1.0  # how much more finely it is painted than a camera on the path's middle can see

    @property
    def extent_m(self) -> tuple[float, float]:
        """Width and height."""
        return 2 * float(np.linalg.norm(self.half_u_m)), 2 * float(np.linalg.norm(self.half_v_m))

    def surface_at(self, u: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Points and outward normals (N, 3) at texture coordinates (N,) in [-1, 1]."""
        normal = np.cross(self.half_v_m, self.half_u_m)
        points = self.centre_m + u[:, None] * self.half_u_m + v[:, None] * self.half_v_m
        return points, np.broadcast_to(normal / np.linalg.norm(normal), points.shape)

    def distance_m(self, point_m: FloatArray) -> float:
        """Distance from a point (3,) to the nearest point of the rectangle."""
        offset, u, v = point_m - self.centre_m, self.half_u_m, self.half_v_m
        nearest = np.clip(offset @ u / (u @ u), -1, 1) * u + np.clip(offset @ v / (v @ v), -1, 1) * v
        return float(np.linalg.norm(offset - nearest))


@dataclass(frozen=True, slots=True, eq=False)
class Sphere:
    """A ball; u runs around its y axis and v from the upper pole to the lower one."""

    centre_m: FloatArray  # (3,)
    radius_m: float
    paint: Painter
    rotation: FloatArray  # (3, 3) world from ball
    detail: float = 1.0

    @property
    def extent_m(self) -> tuple[float, float]:
        """Length of the equator, and of a meridian from pole to pole."""
        return 2 * np.pi * self.radius_m, np.pi * self.radius_m

    def surface_at(self, u: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Points and outward normals (N, 3) at texture coordinates (N,) in [-1, 1]."""
        azimuth, latitude = u * np.pi, v * np.pi / 2
        flat = np.cos(latitude)
        normals = np.column_stack([flat * np.cos(azimuth), np.sin(latitude), flat * np.sin(azimuth)]) @ self.rotation.T
        return self.centre_m + self.radius_m * normals, normals

    def distance_m(self, point_m: FloatArray) -> float:
        """Distance from a point (3,) outside to the ball."""
        return float(np.linalg.norm(point_m - self.centre_m)) - self.radius_m


Surface = Quad | Sphere


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """A round lamp (or, far away, a sun) and the light that comes from everywhere."""

    position_m: FloatArray  # (3,)
    radius_m: float
    colour: tuple[float, float, float]  # BGR factors of a surface that faces the lamp
    ambient: tuple[float, float, float]  # BGR factors of a surface in the shade
    reach_m: float = np.inf  # distance at which the lamp's light has halved


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Surfaces, at most 254 of them, their light, and the way that the rig's left camera takes."""

    surfaces: tuple[Surface, ...]
    light: Light
    trajectory: Path


def quad(pose: Pose, size_m: tuple[float, float], paint: Painter) -> Quad:
    """A rectangle of width and height in the xy plane of ``pose`` (world from rectangle), seen from -z."""
    u, v = pose.rotation[:, 0] * size_m[0] / 2, pose.rotation[:, 1] * size_m[1] / 2
    return Quad(pose.translation_m, u, v, paint)


def box(
    pose: Pose, size_m: tuple[float, float, float], paint: Painter, faces: Mapping[str, Painter] | None = None
) -> list[Quad]:
    """Six outward faces of a box around ``pose`` (world from box); ``faces`` repaints some of them by name."""
    x, y, z = (pose.rotation[:, axis] * size_m[axis] / 2 for axis in range(3))
    sides = {
        "front": (-z, x, y),
        "back": (z, -x, y),
        "left": (-x, -z, y),
        "right": (x, z, y),
        "top": (-y, x, -z),
        "bottom": (y, x, z),
    }
    paints = dict.fromkeys(sides, paint) | dict(faces or {})
    return [Quad(pose.translation_m + out, u, v, paints[name]) for name, (out, u, v) in sides.items()]


def turned(x_m: float, y_m: float, z_m: float, yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> Pose:
    """Pose of something at a place, pitched about its x axis, then turned about the vertical."""
    place, none = np.array([x_m, y_m, z_m]), np.zeros(3)
    yaw = Pose.from_rotation_vector([0, np.deg2rad(yaw_deg), 0], place)
    return yaw @ Pose.from_rotation_vector([np.deg2rad(pitch_deg), 0, 0], none)
