"""Corners as a perfect detector with noise would find them, for rigs whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roma_device.app.simulation.worlds.rigs import virtual_rig
from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.boards import Board, Detection, parse_board
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.observations import PairView

SIZE = (640, 400)
BOARD = parse_board("chessboard:9x6:30mm")


def rig(lens: str = "plumb_bob", variant: int = 1) -> StereoCalibration:
    return virtual_rig(SIZE, lens, variant)


def board_poses(count: int, seed: int, most_tilt: float = 0.6, spread: float = 0.3) -> list[Pose]:
    """Left camera from board: all over the image, tilted to all sides, at 0.4 to 0.9 m."""
    rng = np.random.default_rng(seed)
    middle = np.array([0.12, 0.075, 0.0])
    poses = []
    for _ in range(count):
        distance_m = rng.uniform(0.4, 0.9)
        centre = np.array([rng.uniform(-0.8, 1.2) * spread, rng.uniform(-0.8, 0.8) * spread, 1.0]) * distance_m
        turn = Pose.from_rotation_vector(rng.uniform(-1, 1, 3) * [most_tilt, most_tilt, 0.4], np.zeros(3))
        poses.append(Pose(turn.rotation, centre - turn.rotation @ middle))
    return poses


def views_of(
    calibration: StereoCalibration,
    count: int = 20,
    seed: int = 0,
    noise_px: float = 0.1,
    board: Board = BOARD,
    poses: Sequence[Pose] | None = None,
) -> list[PairView]:
    """Views of a board; those corners are seen that lie within both images, of which there must be 20."""
    rng = np.random.default_rng((seed, 9))
    views: list[PairView] = []
    for pose in poses or board_poses(4 * count, seed):
        left_points = pose.apply(board.points_m)
        right_points = calibration.right_from_left.apply(left_points)
        left, right = calibration.left.project(left_points), calibration.right.project(right_points)
        seen = inside(left) & inside(right) & (left_points[:, 2] > 0.1)
        if seen.sum() >= 20 and len(views) < count:
            ids = np.flatnonzero(seen)
            noisy = [pixels[ids] + rng.normal(0, noise_px, (len(ids), 2)) for pixels in (left, right)]
            views.append(PairView(f"{len(views):02}", Detection(ids, noisy[0]), Detection(ids, noisy[1])))
    return views


def inside(pixels: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray((pixels >= 0).all(axis=1) & (pixels <= np.array(SIZE) - 1).all(axis=1))


def shifted(view: PairView, offset: Sequence[float]) -> PairView:
    """As if the board had moved before the right image was taken."""
    return PairView(view.name, view.left, Detection(view.right.ids, view.right.pixels + np.array(offset)))


def with_false_corners(view: PairView, share: float, seed: int) -> PairView:
    """Some left corners 5 to 12 px off."""
    rng = np.random.default_rng(seed)
    pixels = view.left.pixels.copy()
    chosen = rng.choice(len(pixels), round(share * len(pixels)), replace=False)
    angle = rng.uniform(0, 2 * np.pi, len(chosen))
    pixels[chosen] += rng.uniform(5, 12, len(chosen))[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return PairView(view.name, Detection(view.left.ids, pixels), view.right)
