"""A calibration board in a workshop, and the rig's way past it: go on, hold still, go on, as a person would."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from roma_device.app.simulation.paint.printed_textures import CHESSBOARD, PALETTE, board_print, gores
from roma_device.app.simulation.scene import Light, Scene, Sphere, Surface, box, look_at, quad, turned
from roma_device.app.simulation.textures import bricks, planks, plaster
from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.boards.board import Board
from roma_device.calibration.pose import Pose

HOLD_S, MOVE_S = 0.25, 0.25
STATIONS = 90
GOLDEN = (0.7548776662, 0.5698402910)
"""Steps of a sequence that fills a square evenly (Roberts' R2)."""


@dataclass(frozen=True, slots=True, eq=False)
class BoardPath:
    """Trajectory over stations one after the other, held for HOLD_S each; after the last it starts again."""

    stations: tuple[Pose, ...]  # world from left camera
    centre_m: FloatArray  # (3,)

    def world_from_camera(self, time_s: float) -> Pose:
        """Pose at a time since the start: at a station while it is held, on the way with a soft start and end."""
        number, within_s = divmod(time_s, HOLD_S + MOVE_S)
        here, there = (self.stations[(int(number) + step) % len(self.stations)] for step in range(2))
        share = float(np.clip((within_s - HOLD_S) / MOVE_S, 0, 1))
        soft = share * share * (3 - 2 * share)
        rotation = Pose(here.rotation.T @ there.rotation, np.zeros(3)).rotation_vector
        step = Pose.from_rotation_vector(soft * rotation, np.zeros(3)).rotation
        return Pose(here.rotation @ step, (1 - soft) * here.translation_m + soft * there.translation_m)


def board_path(
    rng: np.random.Generator, size_m: tuple[float, float], centre_m: FloatArray, view_rad: tuple[float, float]
) -> BoardPath:
    """A path around a board of ``size_m`` that faces -z, seen by a camera with these half angles of view (x, y).

    The board appears all over both images, upright and tilted to all sides, near and far; the first view is
    straight on.
    """
    start = rng.uniform(0, 1, 2)
    stations = [look_at(centre_m - np.array([0, 0, 1.5 * size_m[0]]), centre_m, 0.0)]
    for number in range(1, STATIONS):
        place = 2 * ((start + number * np.array(GOLDEN)) % 1) - 1
        stations.append(_station(rng, number, place, size_m, centre_m, view_rad))
    return BoardPath(tuple(stations), centre_m - np.array([0, 0, 1.2 * size_m[0]]))


def _station(
    rng: np.random.Generator,
    number: int,
    place: FloatArray,
    size_m: tuple[float, float],
    centre_m: FloatArray,
    view_rad: tuple[float, float],
) -> Pose:
    """One view; ``place`` (2,) in [-1, 1] says where in the image the board shall be."""
    nearness = 0.6 / np.tan(min(view_rad[0], 1.0))  # wide lenses have to come nearer
    distance_m = size_m[0] * float(rng.uniform(1.2, 2.6)) * nearness / 0.9
    tilt = np.deg2rad(float(rng.uniform(5, 42))) if number % 4 else 0.0
    azimuth = 2.4 * number + float(rng.uniform(0, 0.6))
    leaning = Pose.from_rotation_vector(tilt * np.array([np.cos(azimuth), np.sin(azimuth), 0]), np.zeros(3))
    position = centre_m + leaning.rotation @ np.array([0, 0, -distance_m])
    level = look_at(position, centre_m, np.deg2rad(float(rng.normal(0, 8))))
    half = np.arctan(0.5 * np.array(size_m) / distance_m)
    parallax = np.arctan(np.array([0.12, 0.0]) / distance_m)
    least, most = -np.array(view_rad) + half + parallax, np.array(view_rad) - half
    angles = np.where(most > least, (least + most) / 2 + place * np.maximum(most - least, 0) / 2, 0.0)
    return Pose(level.rotation @ _aside(np.tan(angles)), position)


def _aside(tangents: FloatArray) -> FloatArray:
    """Rotation (3, 3) of a camera that brings what was straight ahead to normalized coordinates (x, y)."""
    ray = np.array([*tangents, 1.0]) / np.sqrt(1 + tangents @ tangents)
    axis = np.cross(ray, [0.0, 0.0, 1.0])
    sine = float(np.linalg.norm(axis))
    angle = np.arctan2(sine, ray[2])
    return Pose.from_rotation_vector(axis * (angle / sine if sine > 0 else 1.0), np.zeros(3)).rotation


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
