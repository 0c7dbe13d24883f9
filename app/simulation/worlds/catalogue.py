"""The simulated worlds by name; here a street, boxes, and two that stereo matchers find hard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from roma_device.app.simulation.paint.printed_textures import PALETTE, checks, crate, poster
from roma_device.app.simulation.scene import Light, Quad, Scene, Sphere, Surface, box, quad, swaying, turned
from roma_device.app.simulation.textures import Painter, bricks, clouds, marble, patches, planks, plaster, weave

from .board import board
from .room import indoor_path, room
from .street_textures import facade, road, van_tail

_LAMP = Light(np.array([0.4, -1.1, 1.2]), 0.25, (1.1, 1.2, 1.25), (0.5, 0.48, 0.46), reach_m=4.0)


def bare(rng: np.random.Generator) -> Scene:
    """A room without pictures: plastered walls and boxes that differ in shade alone, 0.9 to 4.6 m away."""
    wall = plaster((186, 194, 200), grain=0.004, mottle=0.012)
    things = _shell(wall, wall, plaster((150, 160, 168), grain=0.004, mottle=0.012))
    for x, z, side in ((-0.7, 2.4, 0.7), (0.6, 1.9, 0.5), (0.1, 3.2, 0.9)):
        tone = int(rng.integers(120, 200))
        pose = turned(x, 1.2 - side / 2, z, float(rng.uniform(0, 90)))
        things += box(pose, (side, side, side), plaster((tone, tone, tone), grain=0.004, mottle=0.01))
    things.append(Sphere(np.array([-0.3, 0.2, 1.5]), 0.22, plaster((90, 120, 190), 0.004, 0.01), np.eye(3)))
    return Scene(tuple(things), _LAMP, indoor_path(rng))


def repeats(rng: np.random.Generator) -> Scene:
    """Tiles, a chequered wall and a railing of equal bars, 1.2 to 4.6 m away: every row matches many times."""
    tiles = checks((205, 205, 200), (70, 75, 80), 0.16)
    things = _shell(checks((190, 200, 205), (120, 105, 90), 0.11), tiles, tiles)
    bars = plaster(PALETTE[rng.integers(len(PALETTE))])
    for index in range(17):
        things += box(turned(-1.2 + 0.15 * index, 0.55, 1.9), (0.03, 1.3, 0.03), bars)
    things += box(turned(0, -0.1, 1.9), (2.6, 0.05, 0.05), bars)
    return Scene(tuple(things), _LAMP, indoor_path(rng))


def _shell(back: Painter, sides: Painter, floor: Painter) -> list[Surface]:
    return [
        quad(turned(0, -0.1, 4.6), (4.6, 2.6), back),
        quad(turned(-2.3, -0.1, 1.6, yaw_deg=-90), (6.2, 2.6), sides),
        quad(turned(2.3, -0.1, 1.6, yaw_deg=90), (6.2, 2.6), sides),
        quad(turned(0, 1.2, 1.6, pitch_deg=-90), (4.6, 6.2), floor),
        quad(turned(0, -1.4, 1.6, pitch_deg=90), (4.6, 6.2), plaster((205, 210, 212), 0.004, 0.01)),
    ]


def street(rng: np.random.Generator) -> Scene:
    """A street between houses, with parked vans, 3 to 60 m deep, under a sky without depth."""
    ground: list[Surface] = [
        quad(turned(0, 1.6, 29, pitch_deg=-90), (7, 62), road(7.0)),
        *box(turned(-5.3, 1.57, 29), (3.6, 0.1, 62), checks((150, 152, 150), (132, 136, 138), 0.6)),
        *box(turned(5.3, 1.57, 29), (3.6, 0.1, 62), checks((150, 152, 150), (132, 136, 138), 0.6)),
        quad(turned(0, -100, 900), (2400, 1400), clouds((205, 160, 105), (238, 236, 232), 160)),
    ]
    fronts = ((140, 178, 205), (120, 150, 190), (170, 175, 170), (115, 130, 175), (160, 190, 200), (130, 160, 150))
    for side in (-1, 1):
        for block, depth_m in enumerate((5, 16, 27, 38, 49)):
            height_m = float(rng.uniform(7, 12))
            wall = facade(fronts[rng.integers(len(fronts))]) if rng.random() < 0.7 else bricks((80, 95, 165))
            ground += box(turned(side * 9.4, 1.6 - height_m / 2, depth_m), (5, height_m, 10.4 - block % 2), wall)
    ground += box(turned(0, -3, 62), (30, 9.4, 3), facade((150, 170, 190)))
    for side, depth_m in ((1, 7), (-1, 9), (1, 13), (-1, 17), (1, 22)):
        ground += _van(side * 2.6, depth_m + float(rng.uniform(-0.5, 0.5)), PALETTE[rng.integers(7)])
    leaves = patches((40, 90, 50), (60, 140, 90), 0.2)
    ground += [Sphere(np.array([-4.6, 0.85, z_m]), 0.7, leaves, np.eye(3)) for z_m in (6, 12)]
    sun = Light(np.array([-220.0, -420.0, -160.0]), 12.0, (0.72, 0.78, 0.8), (0.5, 0.44, 0.42))
    path = swaying(rng, (0.4, 0.04, 2.0), (0.0, 0.0, 25.0), (1.5, 0.3, 0.0), 0.6, 12.0)
    return Scene(tuple(ground), sun, replace(path, centre_m=np.array([0.0, 0.0, 1.0])))


def _van(x_m: float, z_m: float, colour: tuple[float, float, float]) -> list[Quad]:
    paint, tail = plaster(colour, grain=0.015, mottle=0.02), van_tail(colour)
    wheels = plaster((46, 46, 48))
    axles = [box(turned(x_m, 1.32, z_m + along), (1.84, 0.56, 0.56), wheels) for along in (-1.3, 1.3)]
    return box(turned(x_m, 0.4, z_m), (1.8, 1.7, 4.2), paint, {"front": tail, "back": tail}) + axles[0] + axles[1]


def boxes(rng: np.random.Generator) -> Scene:
    """Boxes and balls at random, 1.2 to 6.7 m away, on a tiled floor."""
    things: list[Surface] = [
        quad(turned(0, 1.1, 3.4, pitch_deg=-90), (9, 7), checks((168, 170, 172), (110, 118, 128), 0.35)),
        quad(turned(0, -1.4, 6), (11, 5.2), plaster((176, 160, 132))),
        quad(turned(-4, -1.4, 3, yaw_deg=-90), (8, 5.2), bricks((130, 150, 178))),
        quad(turned(4, -1.4, 3, yaw_deg=90), (8, 5.2), planks((110, 140, 160))),
    ]
    for index in range(15):
        z = 1.3 + 3.9 * (index + float(rng.uniform(0, 1))) / 15
        x, y = rng.uniform(-0.55, 0.55) * z * 1.1, rng.uniform(-0.35, 0.42) * z
        side = float(rng.uniform(0.1, 0.2)) * (0.6 + z / 2.5)
        pose = turned(x, min(y, 1.0 - side / 2), z, float(rng.uniform(0, 90)), float(rng.uniform(-30, 30)))
        paint = _any_paint(rng)
        if rng.random() < 0.3:
            things.append(Sphere(pose.translation_m, 0.6 * side, paint, pose.rotation))
        else:
            things += box(pose, (side, side * float(rng.uniform(0.6, 1.4)), side), paint)
    lamp = Light(np.array([-1.2, -2.2, 1.0]), 0.5, (1.05, 1.12, 1.15), (0.46, 0.44, 0.42), reach_m=5.0)
    path = swaying(rng, (0.25, 0.12, 0.12), (0.0, 0.1, 3.5), (0.3, 0.15, 0.0), 3, 10.0)
    return Scene(tuple(things), lamp, path)


def _any_paint(rng: np.random.Generator) -> Painter:
    first, second = (PALETTE[index] for index in rng.permutation(len(PALETTE))[:2])
    kinds: list[Painter] = [
        poster(14),
        crate((105, 150, 185)),
        marble(first, second, 0.08),
        checks(first, second, 0.05),
        weave(first, second, 0.08),
        patches(first, second, 0.07),
    ]
    return kinds[rng.integers(len(kinds))]


SCENES: dict[str, Callable[[np.random.Generator], Scene]] = {
    "room": room,
    "street": street,
    "boxes": boxes,
    "board": board,
    "bare": bare,
    "repeats": repeats,
}
