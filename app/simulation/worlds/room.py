"""A furnished room, 0.8 to 5 m deep."""

from __future__ import annotations

import numpy as np

from roma_device.app.simulation.paint.printed_textures import (
    CHESSBOARD,
    PALETTE,
    board_print,
    books,
    checks,
    crate,
    gores,
    poster,
)
from roma_device.app.simulation.scene import (
    Light,
    Quad,
    Scene,
    Sphere,
    Surface,
    SwayingPath,
    box,
    quad,
    swaying,
    turned,
)
from roma_device.app.simulation.textures import bricks, marble, patches, planks, plaster, weave

FLOOR_M, CEILING_M, BACK_M, SIDE_M = 1.2, -1.4, 4.6, 2.3


def room(rng: np.random.Generator) -> Scene:
    """Walls, a table with things on it, shelves, crates and a chessboard."""
    surfaces: list[Surface] = [*_shell(), *_table(rng), *_shelves(), *_floor_things(rng), *_hanging()]
    lamp = Light(np.array([0.4, CEILING_M + 0.45, 1.9]), 0.25, (1.2, 1.34, 1.4), (0.46, 0.44, 0.42), reach_m=3.0)
    return Scene(tuple(surfaces), lamp, indoor_path(rng))


def indoor_path(rng: np.random.Generator) -> SwayingPath:
    """Sways by a hand's width or two about the origin and looks about, ahead along z."""
    return swaying(rng, (0.3, 0.1, 0.12), (0.0, 0.1, 3.0), (0.25, 0.12, 0.0), 2.5, 10.0)


def _shell() -> list[Quad]:
    deep, middle = BACK_M + 1.5, (BACK_M - 1.5) / 2
    high, level = FLOOR_M - CEILING_M, (FLOOR_M + CEILING_M) / 2
    rug = turned(-0.1, FLOOR_M - 0.012, 3.1, yaw_deg=4, pitch_deg=-90)
    return [
        quad(turned(0, level, BACK_M), (2 * SIDE_M, high), bricks((98, 118, 178))),
        quad(turned(-SIDE_M, level, middle, yaw_deg=-90), (deep, high), plaster((150, 172, 160))),
        quad(turned(SIDE_M, level, middle, yaw_deg=90), (deep, high), plaster((176, 190, 204))),
        quad(turned(0, FLOOR_M, middle, pitch_deg=-90), (2 * SIDE_M, deep), planks((82, 122, 172))),
        quad(turned(0, CEILING_M, middle, pitch_deg=90), (2 * SIDE_M, deep), plaster((205, 210, 212))),
        quad(rug, (2.2, 1.6), weave((70, 60, 150), (175, 205, 220))),
        quad(turned(-SIDE_M + 0.02, -0.2, 3.1, yaw_deg=-90), (1.1, 0.8), poster()),
        quad(turned(-0.75, -0.45, BACK_M - 0.02), (0.7, 0.95), poster()),
        quad(turned(0.2, -0.55, BACK_M - 0.02), (0.6, 0.6), poster(16)),
    ]


def _table(rng: np.random.Generator) -> list[Surface]:
    top_m, wood = 0.5, planks((70, 110, 160), 0.11)
    things: list[Surface] = [*box(turned(-0.35, top_m + 0.02, 1.75, yaw_deg=8), (1.3, 0.04, 0.75), wood)]
    for x, z in ((-0.9, 1.55), (0.15, 1.4), (-0.85, 2.1), (0.2, 1.95)):
        things += box(turned(x, (FLOOR_M + top_m) / 2, z, yaw_deg=8), (0.06, FLOOR_M - top_m - 0.03, 0.06), wood)
    spin = turned(0, 0, 0, float(rng.uniform(0, 360)), -12)
    globe = patches((150, 90, 40), (70, 150, 120), 0.12)
    things.append(Sphere(np.array([-0.55, top_m - 0.15, 1.72]), 0.15, globe, spin.rotation))
    tiles, stone = checks(PALETTE[0], PALETTE[7], 0.04), marble((190, 200, 205), (80, 90, 110))
    things += box(turned(-0.1, top_m - 0.04, 1.75, yaw_deg=-20), (0.3, 0.08, 0.22), tiles)
    things += box(turned(-0.12, top_m - 0.11, 1.77, yaw_deg=15), (0.2, 0.06, 0.16), poster(12))
    things += box(turned(-0.85, top_m - 0.12, 1.95, yaw_deg=30), (0.16, 0.24, 0.16), stone)
    return things


def _shelves() -> list[Quad]:
    wood = planks((60, 88, 120), 0.2)
    case = box(turned(SIDE_M - 0.2, 0.15, 3.2, yaw_deg=90), (1.5, 2.1, 0.36), wood, {"front": books()})
    plank = box(turned(1.35, 0.0, BACK_M - 0.14), (0.9, 0.03, 0.28), wood)
    green = marble((130, 150, 90), (200, 215, 190))
    vase = box(turned(1.1, -0.165, BACK_M - 0.14, yaw_deg=20), (0.14, 0.3, 0.14), green)
    return case + plank + vase + box(turned(1.5, -0.1, BACK_M - 0.14), (0.3, 0.17, 0.16), poster(10))


def _floor_things(rng: np.random.Generator) -> list[Surface]:
    spin = turned(0, 0, 0, float(rng.uniform(0, 360)), 50)
    things: list[Surface] = [
        Sphere(np.array([-1.3, FLOOR_M - 0.3, 3.3]), 0.3, gores((*PALETTE[:3], PALETTE[7])), spin.rotation)
    ]
    things += box(turned(0.95, FLOOR_M - 0.3, 2.75, yaw_deg=24), (0.6, 0.6, 0.6), crate((105, 150, 190)))
    things += box(turned(0.5, FLOOR_M - 0.2, 3.7, yaw_deg=-15), (0.4, 0.4, 0.4), crate((120, 140, 150)))
    width_m, height_m = CHESSBOARD.artwork().size_m
    standing = turned(0.93, FLOOR_M - 0.6 - height_m / 2, 2.75, yaw_deg=12, pitch_deg=-8)
    return things + box(standing, (width_m, height_m, 0.01), plaster((60, 66, 72)), {"front": board_print(CHESSBOARD)})


def _hanging() -> list[Surface]:
    ball = np.array([0.42, -0.3, 1.05])
    middle = turned(ball[0], (CEILING_M + ball[1]) / 2, ball[2])
    cord = box(middle, (0.012, ball[1] - CEILING_M, 0.012), plaster((40, 40, 44)))
    return [*cord, Sphere(ball, 0.1, gores(((70, 150, 235), (190, 215, 235)) * 5), np.eye(3))]
