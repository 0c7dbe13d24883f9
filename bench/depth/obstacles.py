"""Obstacles found on the simulated rig's truth: ``python -m bench.depth.obstacles [--scenes 84] [--frames 6]``.

Floors with boxes of 0.2 to 0.6 m at random places, 1 to 5 m ahead of a camera at 0.6 to 1 m that looks down a little,
and as many floors without any. Printed are errors of ground height and pitch, the share of boxes on which a cell is
occupied, of those of which at least a quarter of a side is seen, false alarms (occupied cells farther than 0.3 m from
any box, and frames that have one), free cells inside boxes, and the CPU time of the search with the rectification of
both images that it asks for. Frames come ten a second, the camera sways. ``--truth`` takes the true disparity with
noise instead of the network's.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field

import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.model_store import find_model
from roma_device.app.simulation.paint.printed_textures import PALETTE, checks, crate, poster
from roma_device.app.simulation.scene import Light, Scene, Surface, box, quad, swaying, turned
from roma_device.app.simulation.textures import bricks, marble, patches, planks, weave
from roma_device.app.simulation.worlds.catalogue import SCENES
from roma_device.calibration.arrays import FloatArray, FloatImage
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.runtime.filters.options import DepthOptions
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.obstacles.find import ObstacleFinder
from roma_device.runtime.obstacles.obstacle_map import FREE, OCCUPIED, GroundPlane
from roma_device.runtime.obstacles.options import ObstacleOptions
from roma_device.runtime.pipeline import StereoPipeline
from roma_device.runtime.types import Result

WALL_M = 9.0
REACH_M = 5.0
SLACK_M = 0.3
SEEN_SHARE = 0.25
NOISE_PX = 0.15
SUMMED = 12
"""After so many scenes it is said how things stand: a run of many takes minutes."""


@dataclass(frozen=True)
class Floor:
    """What a seed draws: the camera's height and the boxes as (x, z, side), in metres."""

    height_m: float
    boxes: tuple[tuple[float, float, float], ...]
    down_m: float  # how far below the camera's height the point lies that it looks at, 5 m ahead

    @classmethod
    def drawn(cls, rng: np.random.Generator, with_boxes: bool) -> Floor:
        height_m, down_m = float(rng.uniform(0.6, 1.0)), float(rng.uniform(0.2, 1.2))
        places = []
        for _ in range(3 if with_boxes else 0):
            z = float(rng.uniform(1.4, REACH_M - 0.4))
            places.append((float(rng.uniform(-0.35, 0.35)) * z, z, float(rng.uniform(0.2, 0.6))))
        return cls(height_m, tuple(places), down_m)


def scene(rng: np.random.Generator, with_boxes: bool) -> Scene:
    floor = Floor.drawn(rng, with_boxes)
    grounds = (
        checks((168, 170, 172), (110, 118, 128), 0.35),
        planks((110, 140, 160)),
        patches((90, 95, 100), (140, 140, 135), 0.2),
    )
    things: list[Surface] = [
        quad(turned(0, floor.height_m, 4.5, pitch_deg=-90), (16, 11), grounds[rng.integers(3)]),
        quad(turned(0, floor.height_m - 2, WALL_M), (16, 4.4), bricks((130, 150, 178))),
    ]
    for x, z, side in floor.boxes:
        first, second = (PALETTE[index] for index in rng.permutation(len(PALETTE))[:2])
        paints = (poster(14), crate((105, 150, 185)), marble(first, second, 0.08), weave(first, second, 0.08))
        pose = turned(x, floor.height_m - side / 2, z, float(rng.uniform(0, 90)))
        things += box(pose, (side, side, side), paints[rng.integers(4)])
    lamp = Light(np.array([-1.2, -2.2, 1.0]), 0.5, (1.05, 1.12, 1.15), (0.46, 0.44, 0.42), reach_m=8.0)
    return Scene(
        tuple(things), lamp, swaying(rng, (0.1, 0.02, 0.1), (0.0, floor.down_m, 5.0), (0.2, 0.05, 0.0), 2, 8.0)
    )


@dataclass
class Score:
    """Over all frames."""

    height: list[float] = field(default_factory=list)
    pitch_deg: list[float] = field(default_factory=list)
    boxes: int = 0
    found: int = 0
    frames: int = 0
    alarmed: int = 0
    free_inside: int = 0
    no_ground: int = 0
    search_ms: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        height, pitch_deg = np.abs(self.height), np.abs(self.pitch_deg)
        return [
            f"{self.frames} frames, {self.no_ground} without ground; search {np.median(self.search_ms):.1f} ms of CPU "
            f"(median; {np.percentile(self.search_ms, 95):.1f} at 95 %)",
            f"height off by {100 * np.median(height):.2f} % median, {100 * np.percentile(height, 95):.2f} % at 95 %, "
            f"{100 * height.max():.2f} % at most",
            f"pitch off by {np.median(pitch_deg):.2f} deg median, {np.percentile(pitch_deg, 95):.2f} at 95 %, "
            f"{pitch_deg.max():.2f} at most; over 0.3 in {100 * (pitch_deg > 0.3).mean():.1f} % of frames",
            f"{self.found} of {self.boxes} boxes found; {self.alarmed} frames with a false alarm; "
            f"{self.free_inside} free cells inside boxes",
        ]


def judge(
    score: Score, result: Result, floor: Floor, finder: ObstacleFinder, rotation: FloatArray, use_truth: bool
) -> None:
    truth, rig = result.frame.truth, result.rig
    assert truth is not None and truth.depth_m is not None and truth.world_from_left is not None and rig is not None
    disparity_px, known = result.matches.disparity_px, result.known
    if use_truth:
        known = np.isfinite(truth.depth_m)
        exact_px = (rig.focal_px or 0) * (rig.baseline_m or 0) / np.where(known, truth.depth_m, 1)
        disparity_px = (exact_px + np.random.default_rng(0).normal(0, NOISE_PX, known.shape)).astype(np.float32)
    assert disparity_px is not None
    start_s = time.thread_time()
    found = finder.find(disparity_px, known, result.matches.certainty, result.images)
    score.search_ms.append(1000 * (time.thread_time() - start_s))
    score.frames += 1
    if found.ground is None:
        score.no_ground += 1
        return
    world_from_rectified = truth.world_from_left.rotation @ rotation.T
    up = world_from_rectified.T @ np.array([0.0, -1.0, 0.0])
    height_m = floor.height_m - truth.world_from_left.translation_m[1]
    score.height.append(found.ground.height_m / height_m - 1)
    score.pitch_deg.append(found.ground.pitch_deg - float(np.degrees(np.arcsin(-up[2]))))
    cells = np.argwhere(found.grid == OCCUPIED), np.argwhere(found.grid == FREE)
    occupied, free = (_places(one, found.grid.shape[1], found.cell_m) for one in cells)
    boxes = _seen_from(floor, world_from_rectified, truth.world_from_left.translation_m, up)
    near = np.zeros(len(occupied), bool)
    on_ground_m = _on_ground(truth.depth_m, rig, up)
    for x, z, side in boxes:
        away = np.hypot(occupied[:, 0] - z, occupied[:, 1] - x) if len(occupied) else np.zeros(0)
        near |= away < side * 0.71 + SLACK_M
        if 1.2 < z < REACH_M and _seen_px(on_ground_m, x, z, side) > SEEN_SHARE * (side * (rig.focal_px or 0) / z) ** 2:
            score.boxes += 1
            score.found += int((away < side * 0.71 + SLACK_M).any())
            score.free_inside += int((np.hypot(free[:, 0] - z, free[:, 1] - x) < side / 2 - 0.1).sum())
    is_wall = occupied[:, 0] > WALL_M - 2 if len(occupied) else np.zeros(0, bool)
    score.alarmed += int((~near & ~is_wall).any())


def _places(cells: FloatArray, columns: int, cell_m: float) -> FloatArray:
    """(N, 2): forward and right of the cells' middles."""
    return np.column_stack([(cells[:, 0] + 0.5) * cell_m, (cells[:, 1] + 0.5 - columns / 2) * cell_m])


def _on_ground(depth_m: FloatImage, rig: RectifiedRig, up: FloatArray) -> FloatImage:
    """(3, H, W): truth forward, right and up from the camera, along the ground."""
    axes = GroundPlane(up, 0.0, 1.0).axes
    row, column = np.mgrid[: depth_m.shape[0], : depth_m.shape[1]]
    focal_px = rig.focal_px or 0
    points_m = np.stack([(column - rig.cx) / focal_px, (row - rig.cy) / focal_px, np.ones(depth_m.shape)]) * depth_m
    return np.asarray(np.einsum("ij,jhw->ihw", axes, points_m), np.float32)


def _seen_px(on_ground_m: FloatImage, x: float, z: float, side: float) -> int:
    """Pixels of a box that are seen, of its upper four fifths: they stand above the floor beyond doubt."""
    forward_m, right_m, up_m = on_ground_m
    floor_m = np.nanmin(up_m)
    inside = (np.hypot(forward_m - z, right_m - x) < 0.75 * side) & (up_m > floor_m + 0.2 * side)
    return int((inside & (up_m < floor_m + 1.1 * side)).sum())


def _seen_from(
    floor: Floor, world_from_camera: FloatArray, place_m: FloatArray, up: FloatArray
) -> list[tuple[float, float, float]]:
    """The boxes as right, forward, side from the camera on the ground."""
    ahead = np.array([0.0, 0.0, 1.0]) - up[2] * up
    ahead = world_from_camera @ (ahead / np.linalg.norm(ahead))
    right = np.array([ahead[2], 0.0, -ahead[0]])
    offsets = [(np.array([x, 0.0, z]) - place_m, side) for x, z, side in floor.boxes]
    return [(float(right @ offset), float(ahead @ offset), side) for offset, side in offsets]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=84)
    parser.add_argument("--first", type=int, default=0, help="seed of the first scene")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--size", default="640x320", help="WIDTHxHEIGHT of the camera's images, in px")
    parser.add_argument("--preset", default="obstacles")
    parser.add_argument("--truth", action="store_true", help="the true disparity with noise, without the network")
    options = parser.parse_args()
    score = Score()
    for seed in range(options.first, options.first + options.scenes):
        with_boxes = seed % 2 == 0
        SCENES["floor"] = lambda rng, kept=with_boxes: scene(rng, kept)
        floor = Floor.drawn(np.random.default_rng((seed, 1)), with_boxes)
        camera = open_camera(f"simulated:floor?seed={seed}&size={options.size}&frames={options.frames}&fps=10")
        assert camera.calibration is not None
        rectification = Rectification.from_calibration(camera.calibration)
        rotation = np.eye(3) if rectification.left_rotation is None else rectification.left_rotation
        finder = ObstacleFinder(rectification.rig, ObstacleOptions())
        depth = DepthOptions(preset=options.preset)
        with StereoPipeline(
            find_model("stereo"), rectification, NetworkOptions(threads=1, keeps_rectified=True), depth
        ) as pipeline:
            for frame in camera.frames():
                before = score.alarmed, score.boxes - score.found
                judge(score, pipeline.process(frame), floor, finder, rotation, options.truth)
                if (score.alarmed, score.boxes - score.found) != before:
                    print(f"seed {seed}, frame {frame.left.sequence}: {score.lines()[-1]}", flush=True)
        if (seed - options.first + 1) % SUMMED == 0:
            print(f"to seed {seed}:", *score.lines(), sep="\n", flush=True)
    print(f"in all, seeds {options.first} to {options.first + options.scenes - 1}:", *score.lines(), sep="\n")


if __name__ == "__main__":
    main()
