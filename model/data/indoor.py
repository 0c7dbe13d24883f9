"""Furnished rooms for synthetic stereo pairs: walls, things on floors, tables and shelves, light and shadows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .scenes import MAX_SLOPE, UNBOUNDED_PX, Description, dressed
from .solids import Box, Stage, Vector, box_faces, box_shadow, cylinder, raised

FOCAL_PER_WIDTH = 1.1
"""As the renderer assumes it for textures."""
CLOSE_SHARE = 0.3
"""Rooms whose walls are near."""
LEAST_NEAR = 0.15
"""Least nearest disparity of a room, as a share of the greatest."""
FEWEST, MOST = 6, 24
"""Pieces of furniture and things on the floor; what lies on them comes on top."""
Look = Callable[[Description], Description]
"""Dresses a geometry with texture and tone."""


@dataclass(slots=True)
class Furnished:
    """A room while it is filled: surfaces without looks, in groups that share one, each with its brightness."""

    stage: Stage
    walls: list[tuple[Vector, float]]  # normal into the room, normal . P of the wall
    size: tuple[int, int]
    solids: list[list[tuple[Description, float]]] = field(default_factory=list)
    shadows: list[tuple[Description, float]] = field(default_factory=list)  # on the floor, with what light is left

    def is_inside(self, foot: Vector) -> bool:
        return all(normal @ foot > reach for normal, reach in self.walls)

    def add_box(self, rng: np.random.Generator, box: Box, casts: bool = True) -> bool:
        """Whether it can be shown."""
        faces = box_faces(self.stage, box)
        if not faces:
            return False
        self.solids.append(faces)
        shadow = box_shadow(self.stage, box, self.stage.floor) if casts else None
        if shadow is not None:
            self.shadows.append((shadow, rng.uniform(0.35, 0.85)))
        return True


def sample_room(
    rng: np.random.Generator, size: tuple[int, int], max_disparity_px: float, textures: int
) -> list[Description]:
    """One scene as a list of surfaces, background first; ``size`` is (width, height)."""
    near = float(np.exp(rng.uniform(np.log(LEAST_NEAR * max_disparity_px), np.log(max_disparity_px))))
    background, things = furnished_room(rng, size, near, lambda surface: dressed(rng, surface, textures))
    return background + things


def furnished_room(
    rng: np.random.Generator, size: tuple[int, int], near: float, dress: Look
) -> tuple[list[Description], list[Description]]:
    """Background and things, dressed."""
    room = _empty_room(rng, size, near)
    pieces = (_crate, _crate, _can, _can, _table, _shelf)
    for _ in range(int(rng.integers(FEWEST, MOST + 1))):
        piece = pieces[rng.integers(len(pieces))]
        if (foot := _spot(rng, room)) is not None:
            piece(rng, room, foot)
    return _dressed_background(rng, room, dress), _dressed_solids(room, dress)


def _empty_room(rng: np.random.Generator, size: tuple[int, int], near: float) -> Furnished:
    width, height = size
    focal, pitch, roll = FOCAL_PER_WIDTH * width, rng.uniform(-0.05, 0.5), rng.normal(0, 0.03)
    far = near * (rng.uniform(0.45, 0.8) if rng.random() < CLOSE_SHARE else rng.uniform(0.1, 0.45))
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    up, ahead = turn @ [0, -np.cos(pitch), -np.sin(pitch)], turn @ [0, -np.sin(pitch), np.cos(pitch)]
    side = turn @ np.array([1.0, 0, 0])
    lowest = np.array([0, height / 2, focal])  # the ray through the middle of the bottom row
    floor = float(up @ lowest) / (near * rng.uniform(0.6, 1.1))
    light = up + rng.uniform(-0.8, 0.8) * side + rng.uniform(-0.8, 0.6) * ahead
    stage = Stage(focal, up, side, ahead, floor, light / np.linalg.norm(light), rng.uniform(0.3, 0.7), 1.15 * near)
    return Furnished(stage, _walls(rng, stage, far, width), size)


def _walls(rng: np.random.Generator, stage: Stage, far: float, width: int) -> list[tuple[Vector, float]]:
    """The one ahead and perhaps one that meets it at a right angle."""
    yaw = rng.normal(0, 0.35)
    back = -(np.sin(yaw) * stage.side + np.cos(yaw) * stage.ahead)
    walls = [(back, float(back @ stage.at(np.zeros(2), far)))]
    if rng.random() < 0.6:
        normal = np.cross(back, stage.up) * rng.choice([-1, 1])
        corner = stage.at(np.array([-np.sign(normal[0]) * width * rng.uniform(0.15, 0.5), 0]), far)
        walls.append((normal, float(normal @ corner)))
    return [(normal, reach) for normal, reach in walls if reach < 0 and abs(normal[0] / reach) < MAX_SLOPE]


def _spot(rng: np.random.Generator, room: Furnished) -> Vector | None:
    """A place on the floor that the image shows, or a little beside it."""
    width, height = room.size
    for _ in range(6):
        place = rng.uniform(-0.6, 0.6, 2) * [width, height]
        ray = np.array([*place, room.stage.focal_px])
        down = room.stage.up @ ray
        if down < 0:
            foot = ray * (room.stage.floor / down)
            if room.is_inside(foot) and room.stage.is_in_sight(foot[None]):
                return np.asarray(foot)
    return None


def _axes(rng: np.random.Generator, stage: Stage) -> tuple[Vector, Vector]:
    yaw = rng.uniform(0, np.pi)
    across = np.cos(yaw) * stage.side + np.sin(yaw) * stage.ahead
    return across, np.cross(stage.up, across)


def _length(rng: np.random.Generator, room: Furnished, foot: Vector, low: float, high: float) -> float:
    """One that covers so much of the image's height where ``foot`` is."""
    share = np.exp(rng.uniform(np.log(low), np.log(high)))
    return float(share * room.size[1] * foot[2] / room.stage.focal_px)


def _box(rng: np.random.Generator, room: Furnished, foot: Vector, low: float = 0.05, high: float = 0.35) -> Box:
    """Of any proportions."""
    wide, deep, tall = (_length(rng, room, foot, low, high) for _ in range(3))
    return Box(foot, *_axes(rng, room.stage), wide / 2, deep / 2, tall)


def _crate(rng: np.random.Generator, room: Furnished, foot: Vector) -> None:
    box = _box(rng, room, foot)
    if room.add_box(rng, box) and rng.random() < 0.4:
        _things_on(rng, room, box, int(rng.integers(1, 3)))


def _can(rng: np.random.Generator, room: Furnished, foot: Vector) -> None:
    radius, height = _length(rng, room, foot, 0.02, 0.14), _length(rng, room, foot, 0.05, 0.45)
    sides = cylinder(room.stage, foot, radius, height)
    if sides is not None:
        room.solids.append(sides)
        around = Box(foot, *_axes(rng, room.stage), 0.8 * radius, 0.8 * radius, height)
        if (shadow := box_shadow(room.stage, around, room.stage.floor)) is not None:
            room.shadows.append((shadow, rng.uniform(0.35, 0.85)))


def _things_on(rng: np.random.Generator, room: Furnished, support: Box, count: int) -> None:
    """Small boxes and cans on the upper side of ``support``."""
    for _ in range(count):
        along, across = rng.uniform(-0.8, 0.8, 2)
        foot = support.on_top(along, across, room.stage.up)
        if rng.random() < 0.5:
            room.add_box(rng, _box(rng, room, foot, 0.02, 0.15), casts=False)
        elif (sides := cylinder(room.stage, foot, *(_length(rng, room, foot, *b) for b in CAN_LENGTHS))) is not None:
            room.solids.append(sides)


CAN_LENGTHS = ((0.012, 0.06), (0.03, 0.2))
"""Radius and height of small cans, as shares of the image's height."""


def _table(rng: np.random.Generator, room: Furnished, foot: Vector) -> None:
    """A board on four legs, and things on it."""
    stage, tall = room.stage, _length(rng, room, foot, 0.15, 0.4)
    wide, deep = (_length(rng, room, foot, 0.25, 0.8) / 2 for _ in range(2))
    across, along = _axes(rng, stage)
    thick, leg = tall * rng.uniform(0.04, 0.12), tall * rng.uniform(0.03, 0.08)
    board = Box(foot + (tall - thick) * stage.up, across, along, wide, deep, thick)
    if not room.add_box(rng, board):
        return
    for i, j in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        place = foot + i * 0.9 * wide * across + j * 0.9 * deep * along
        room.add_box(rng, Box(place, across, along, leg, leg, tall - thick))
    _things_on(rng, room, board, int(rng.integers(0, 6)))


def _shelf(rng: np.random.Generator, room: Furnished, foot: Vector) -> None:
    """Boards between two uprights, and things on them."""
    stage, tall = room.stage, _length(rng, room, foot, 0.3, 0.9)
    wide, deep = _length(rng, room, foot, 0.2, 0.7) / 2, _length(rng, room, foot, 0.06, 0.2) / 2
    across, along = _axes(rng, stage)
    thick = tall * rng.uniform(0.015, 0.05)
    for end in (-1, 1):
        room.add_box(rng, Box(foot + end * wide * across, across, along, thick, deep, tall))
    levels = int(rng.integers(2, 6))
    for level in range(levels):
        board = raised(Box(foot, across, along, wide - thick, deep, thick), level * tall / levels, stage.up)
        if room.add_box(rng, board, casts=False):
            _things_on(rng, room, board, int(rng.integers(0, 3)))


def _dressed_background(rng: np.random.Generator, room: Furnished, dress: Look) -> list[Description]:
    """Walls, floor and the shadows on it, which have the floor's texture."""
    everywhere = {"centre": [0, 0], "radius": [UNBOUNDED_PX] * 2, "bump": [0, 0, 0, 0]}
    result, stage = [], room.stage
    for normal, reach in room.walls:
        wall = dress({"plane": stage.plane(normal, normal * reach), **everywhere})
        result.append(lit(wall, stage.brightness(normal)))
    floor = dress({"plane": stage.plane(stage.up, stage.up * stage.floor), **everywhere})
    floor = lit(floor, stage.brightness(stage.up))
    shades = [_shaded(floor, shadow, left) for shadow, left in room.shadows if rng.random() < 0.9]
    return [*result, floor, *shades]


def _shaded(floor: Description, shadow: Description, left: float) -> Description:
    """``floor`` within the shadow; its texture must go on in it, at the same density."""
    ratio = abs(_middle(floor)) / max(abs(_middle(shadow)), 2.0)
    return lit({**floor, **shadow, "density": float(np.asarray(floor["density"])) * ratio}, left)


def _middle(surface: Description) -> float:
    """Disparity where the renderer takes the scale of a texture from."""
    plane, centre = np.asarray(surface["plane"], float), np.clip(np.asarray(surface["centre"], float), -300, 300)
    return float(plane[0] + plane[1:] @ centre)


def lit(surface: Description, brightness: float) -> Description:
    mean, contrast, *gradient = np.asarray(surface["tone"], float)
    return {**surface, "tone": [mean * brightness, contrast * brightness, *gradient]}


def _dressed_solids(room: Furnished, dress: Look) -> list[Description]:
    """All sides of a thing look alike but for the light."""
    result = []
    for sides in room.solids:
        look = dress({})
        result += [lit({**look, **side}, brightness) for side, brightness in sides]
    return result
