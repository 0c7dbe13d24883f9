"""Perspective projection of solids into surfaces of a synthetic scene: boxes, cylinders and the shadows that they cast.

A face is a plane in space, whose disparity is affine in the left image, cut out by the straight edges that it shares
with its neighbours. Lengths are in baselines, axes those of the left camera: x right, y down, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .scenes import EDGES, Description

Vector = npt.NDArray[np.float64]

STEEPEST = 0.8
"""Largest d disparity / dx of a face: at 1 the right camera sees it edge-on."""
BOUNDS = 1.1
"""A polygon's bounding box is enlarged so that the superellipse in it cuts nothing off."""
UPRIGHT = {"bump": [0, 0, 0, 0], "dome_px": 0.0, "angle": 0.0, "power": 10.0, "wobble": [0, 2, 0], "holes": [0, 0, -2]}
"""Fields of a surface with nothing but its edges."""
HAIR_PX = 0.002
"""How much nearer than the ground a shadow on it lies."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The camera, the light and what everything stands on."""

    focal_px: float
    up: Vector  # unit
    side: Vector  # horizontal unit vectors
    ahead: Vector
    floor: float  # up . P of the ground, negative
    light: Vector  # unit, towards the light
    ambient: float  # share of the light that comes from everywhere
    nearest_px: float  # disparity that nothing exceeds

    def project(self, points: Vector) -> Vector:
        """(N, 3) -> (N, 2) px from the middle of the left image."""
        return self.focal_px * points[:, :2] / points[:, 2:]

    def disparity_px(self, points: Vector) -> Vector:
        return np.asarray(self.focal_px / points[..., 2])

    def at(self, place_px: Vector, disparity_px: float) -> Vector:
        """The point that is seen at ``place_px`` with this disparity."""
        return np.array([*place_px, self.focal_px]) / disparity_px

    def plane(self, normal: Vector, point: Vector) -> list[float]:
        """Disparity p0 + p1 x + p2 y of the plane through ``point``."""
        x, y, z = normal / (normal @ point)
        return [z * self.focal_px, x, y]

    def brightness(self, normal: Vector) -> float:
        """Of a dull surface (Lambert)."""
        return self.ambient + (1 - self.ambient) * max(0.0, float(normal @ self.light))

    def is_in_sight(self, points: Vector) -> bool:
        """Whether all of ``points`` lie before the camera and none is too near."""
        return bool((points[:, 2] > self.focal_px / self.nearest_px).all())


@dataclass(frozen=True, slots=True)
class Box:
    """A cuboid that stands upright."""

    foot: Vector  # middle of its base
    width_axis: Vector  # horizontal unit vectors
    depth_axis: Vector
    half_width: float
    half_depth: float
    height: float

    def corners(self, up: Vector) -> Vector:
        """(2, 2, 2, 3): along width, depth and height."""
        wide, deep, tall = self.half_width * self.width_axis, self.half_depth * self.depth_axis, self.height * up
        rows = [[[self.foot + i * wide + j * deep + k * tall for k in (0, 1)] for j in (-1, 1)] for i in (-1, 1)]
        return np.array(rows)

    def on_top(self, along: float, across: float, up: Vector) -> Vector:
        """A point of its upper side; both coordinates from -1 to 1."""
        beside = along * self.half_width * self.width_axis + across * self.half_depth * self.depth_axis
        return np.asarray(self.foot + beside + self.height * up)


def edges_of(polygon: Vector) -> list[list[float]]:
    """Half-planes a x + b y + c >= 0 of a convex polygon (N, 2) of any orientation, filled up to ``EDGES``."""
    steps = np.roll(polygon, -1, 0) - polygon
    turn = np.sign(polygon[:, 0] @ np.roll(polygon[:, 1], -1) - polygon[:, 1] @ np.roll(polygon[:, 0], -1)) or 1.0
    length = np.maximum(np.hypot(*steps.T), 1e-6)
    a, b = -turn * steps[:, 1] / length, turn * steps[:, 0] / length
    rows = np.stack([a, b, -(a * polygon[:, 0] + b * polygon[:, 1])], 1).tolist()
    return [*rows, *[[0.0, 0.0, 1.0]] * (EDGES - len(rows))][:EDGES]


def cut_out(plane: list[float], polygon: Vector) -> Description:
    """A plane within a convex polygon (N, 2)."""
    low, high = polygon.min(0), polygon.max(0)
    bounds = {"centre": (low + high) / 2, "radius": np.maximum(BOUNDS * (high - low) / 2, 0.5)}
    return {**UPRIGHT, "plane": plane, "edges": edges_of(polygon), **bounds}


def box_faces(stage: Stage, box: Box) -> list[tuple[Description, float]] | None:
    """The sides that the left camera sees, each with its brightness; None where the box cannot be shown."""
    corners = box.corners(stage.up)
    if not stage.is_in_sight(corners.reshape(-1, 3)):
        return None
    faces = []
    for axis, normal in enumerate((box.width_axis, box.depth_axis, stage.up)):
        for end in (0, 1):
            quad, outward = np.take(corners, end, axis).reshape(4, 3)[[0, 1, 3, 2]], (2 * end - 1) * normal
            if outward @ quad[0] >= 0:
                continue
            plane = stage.plane(outward, quad[0])
            if plane[1] > STEEPEST:
                return None
            faces.append((cut_out(plane, stage.project(quad)), stage.brightness(outward)))
    return faces


def box_shadow(stage: Stage, box: Box, ground_height: float) -> Description | None:
    """What the box darkens of the plane up . P = ``ground_height``; None: nothing that could be shown."""
    points = box.corners(stage.up).reshape(-1, 3)
    above = points @ stage.up - ground_height
    points = points - np.outer(above / (stage.up @ stage.light), stage.light)
    if not stage.is_in_sight(points):
        return None
    plane = stage.plane(stage.up, points[0])
    return cut_out([plane[0] + HAIR_PX, *plane[1:]], hull(stage.project(points)))


def cylinder(stage: Stage, foot: Vector, radius: float, height: float) -> list[tuple[Description, float]] | None:
    """An upright can: its bent side, and its lid where that is seen; None where it cannot be shown."""
    horizontal = foot - (foot @ stage.up) * stage.up
    towards = -horizontal / np.linalg.norm(horizontal)
    tangent = np.cross(stage.up, towards)
    points = np.array([foot + i * radius * tangent + k * height * stage.up for i in (-1, 1) for k in (0, 1)])
    if not stage.is_in_sight(np.concatenate([points, points + radius * towards])):
        return None
    (bottom, top), middle = stage.project(np.array([foot, foot + height * stage.up])), foot + height / 2 * stage.up
    left, right = stage.project(middle + np.outer([-radius, radius], tangent))
    bulge_px = float(stage.disparity_px(middle + radius * towards) - stage.disparity_px(middle))
    plane = stage.plane(towards, foot)
    if abs(plane[1]) + 2 * bulge_px / max(np.hypot(*(right - left)) / 2, 1e-3) > STEEPEST:
        return None
    side: Description = {
        **UPRIGHT,
        **{"plane": plane, "dome_px": bulge_px, "ridge": 1.0, "centre": (bottom + top) / 2},
        "angle": float(np.arctan2(*(right - left)[::-1])),
        "radius": np.array([np.hypot(*(right - left)), np.hypot(*(top - bottom))]) / 2,
    }
    shades = [(side, stage.brightness(towards))]
    lid = _lid(stage, foot + height * stage.up, radius, tangent)
    return [*shades, (lid, stage.brightness(stage.up))] if lid is not None else shades


def _lid(stage: Stage, middle: Vector, radius: float, tangent: Vector) -> Description | None:
    if stage.up @ middle >= 0:
        return None
    deep = np.cross(stage.up, tangent)
    rim = stage.project(middle + radius * np.array([-tangent, tangent, -deep, deep]))
    wide, flat = np.hypot(*(rim[1] - rim[0])) / 2, np.hypot(*(rim[3] - rim[2])) / 2
    return {
        **UPRIGHT,
        **{"plane": stage.plane(stage.up, middle), "centre": (rim[2] + rim[3]) / 2, "power": 2.0},
        "angle": float(np.arctan2(*(rim[1] - rim[0])[::-1])),
        "radius": np.maximum([wide, flat], 0.5),
    }


def hull(points: Vector) -> Vector:
    """Convex hull of (N, 2), in order (monotone chain)."""
    ordered = points[np.lexsort(points.T[::-1])]

    def half(chain: Vector) -> list[Vector]:
        kept: list[Vector] = []
        for point in chain:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], point) <= 0:
                kept.pop()
            kept.append(point)
        return kept[:-1]

    return np.array(half(ordered) + half(ordered[::-1]))


def _turn(a: Vector, b: Vector, c: Vector) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def raised(box: Box, by: float, up: Vector) -> Box:
    """The same, standing higher."""
    return replace(box, foot=box.foot + by * up)
