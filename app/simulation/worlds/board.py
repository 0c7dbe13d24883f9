"""A calibration board in a workshop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from roma_device.app.simulation.paint.printed_textures import CHESSBOARD, PALETTE, board_print, gores
from roma_device.app.simulation.scene import Light, Scene, Sphere, Surface, box, quad, turned
from roma_device.app.simulation.textures import bricks, planks, plaster
from roma_device.calibration.boards.board import Board

from .board_path import board_path

PLACE_M = np.array([0.0, 0.0, 1.0])
"""The middle of the board's back; its front is half a thickness nearer."""

THICKNESS_M = 0.012
DETAIL = 3.0
"""Finer than any view of it: enlarged texels would pull the corners aside by a tenth of a pixel."""


def board(rng: np.random.Generator, target: Board = CHESSBOARD, view_rad: tuple[float, float] = (0.59, 0.39)) -> Scene:
    """A board that the rig looks at from many sides, still at each; by default 9 x 6 inner corners, 30 mm squares."""
    width_m, height_m = target.artwork().size_m
    stand = turned(0, height_m / 2 + 0.285, 1.02)
    target_pose, target_size = turned(*PLACE_M.tolist()), (width_m, height_m, THICKNESS_M)
    front, *sides = box(target_pose, target_size, plaster((70, 80, 90)), {"front": board_print(target)})
    things: list[Surface] = [
        quad(turned(0, -1.65, 2.6), (6.4, 4.8), plaster((150, 158, 150))),
        quad(turned(-3.2, -1.65, 0.6, yaw_deg=-90), (4, 4.8), planks((120, 150, 165))),
        quad(turned(3.2, -1.65, 0.6, yaw_deg=90), (4, 4.8), bricks((140, 160, 185))),
        quad(turned(0, 0.75, 0.6, pitch_deg=-90), (6.4, 4), planks((90, 125, 165))),
        replace(front, detail=DETAIL),
        *sides,
        *box(stand, (0.03, 0.57, 0.02), planks((60, 90, 120))),
        Sphere(np.array([0.75, 0.5, 1.7]), 0.25, gores(PALETTE[:6]), np.eye(3)),
    ]
    lamp = Light(np.array([-0.8, -1.6, -0.4]), 0.4, (1.0, 1.05, 1.08), (0.42, 0.42, 0.42), reach_m=4.0)
    front_m = PLACE_M - np.array([0, 0, THICKNESS_M / 2])
    return Scene(tuple(things), lamp, board_path(rng, (width_m, height_m), front_m, view_rad))
