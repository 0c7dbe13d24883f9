"""Worlds that stereo matchers find hard: nothing to see, or the same thing again and again."""

from __future__ import annotations

import numpy as np

from roma_device.app.simulation.paint.printed_textures import PALETTE, checks
from roma_device.app.simulation.scene import Light, Scene, Sphere, Surface, box, quad, turned
from roma_device.app.simulation.textures import Painter, plaster

from .room import indoor_path

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
