"""Obstacles on made disparity maps with known ground: plane, grid, scan, nearest."""

from __future__ import annotations

import numpy as np
import pytest

from roma_device.calibration.arrays import Size
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.obstacles.find import ObstacleFinder
from roma_device.runtime.obstacles.obstacle_map import FREE, OCCUPIED, UNKNOWN, ObstacleMap
from roma_device.runtime.obstacles.options import ObstacleOptions

RIG = RectifiedRig(Size(640, 320), 480.0, 0.12, 319.5, 159.5)
U, V = np.meshgrid((np.arange(640) - RIG.cx) / 480.0, (np.arange(320) - RIG.cy) / 480.0)
SURE = np.full((320, 640), 0.9, np.float32)
ALL = np.ones((320, 640), bool)


def seen(height_m: float, pitch_deg: float, boxes: list[tuple[float, float, float, float]]) -> np.ndarray:
    """Disparity (H, W) over flat ground with boxes of (distance, offset, width, height), in front of a wall."""
    sine, cosine = np.sin(np.radians(pitch_deg)), np.cos(np.radians(pitch_deg))
    down, ahead = cosine * V + sine, cosine - sine * V  # per metre of depth
    depth_m = np.minimum(np.where(down > 1e-6, height_m / np.maximum(down, 1e-6), np.inf), 30 / ahead)
    for distance_m, offset_m, width_m, box_m in boxes:
        z = distance_m / ahead
        inside = (np.abs(U * z - offset_m) < width_m / 2) & (height_m - down * z < box_m) & (down * z < height_m)
        depth_m = np.where(inside & (z < depth_m), z, depth_m)
    return (480 * 0.12 / depth_m).astype(np.float32)


def found(disparity_px: np.ndarray, noise_px: float = 0.1, valid: np.ndarray = ALL, seed: int = 0) -> ObstacleMap:
    noise = np.random.default_rng(seed).normal(0, noise_px, disparity_px.shape)
    return ObstacleFinder(RIG, ObstacleOptions()).find((disparity_px + noise).astype(np.float32), valid, SURE)


@pytest.mark.parametrize(("height_m", "pitch_deg"), [(0.4, 0.0), (1.2, 10.0), (1.6, -1.0), (0.8, 25.0)])
def test_height_within_two_percent_and_pitch_within_a_third_of_a_degree(height_m: float, pitch_deg: float) -> None:
    ground = found(seen(height_m, pitch_deg, [(3.0, 0.8, 0.5, 0.6)])).ground
    assert ground is not None
    assert abs(ground.height_m / height_m - 1) < 0.02
    assert abs(ground.pitch_deg - pitch_deg) < 0.3 and abs(ground.roll_deg) < 0.3


@pytest.mark.parametrize("distance_m", [1.5, 3.0, 4.5])
@pytest.mark.parametrize("side_m", [0.2, 0.5])
def test_a_box_ahead_is_the_nearest_obstacle(distance_m: float, side_m: float) -> None:
    obstacles = found(seen(0.8, 12.0, [(distance_m, 0.1, side_m, side_m)]))
    assert obstacles.nearest is not None
    assert abs(obstacles.nearest.distance_m - distance_m) < 0.1 + 0.04 * distance_m
    assert abs(obstacles.nearest.offset_m - 0.1) < 0.1
    assert 0.8 < obstacles.nearest.certainty <= 1
    assert obstacles.clear_m < distance_m + 0.1
    assert np.nanmin(obstacles.scan_m) == pytest.approx(distance_m, rel=0.06)


def test_flat_ground_has_no_obstacle_and_is_free_ahead() -> None:
    for seed in range(8):
        obstacles = found(seen(0.8, 12.0, []), noise_px=0.15, seed=seed)
        assert obstacles.nearest is None and not (obstacles.grid == OCCUPIED).any()
        assert obstacles.clear_m > 3


def test_nothing_is_free_where_nothing_was_seen() -> None:
    valid = ALL.copy()
    valid[:, 320:] = False
    grid = found(seen(0.8, 12.0, []), valid=valid).grid
    right_half = grid[:, grid.shape[1] // 2 + 1 :]
    assert (right_half == UNKNOWN).all() and (grid == FREE).any()


def test_behind_an_obstacle_is_unknown() -> None:
    grid = found(seen(0.8, 5.0, [(2.0, 0.0, 1.0, 1.5)])).grid
    middle = grid.shape[1] // 2
    assert (grid[25:, middle - 2 : middle + 2] == UNKNOWN).all()


def test_without_ground_all_is_unknown() -> None:
    wall = np.full((320, 640), 20, np.float32)
    for obstacles in (found(wall), found(wall, valid=~ALL)):
        assert obstacles.ground is None and obstacles.nearest is None and obstacles.clear_m == 0
        assert (obstacles.grid == UNKNOWN).all() and np.isnan(obstacles.scan_m).all()
        assert obstacles.as_json()["ground"] is None


def test_what_is_passed_under_is_no_obstacle() -> None:
    beam = seen(0.8, 0.0, [])
    beam[:60] = 480 * 0.12 / 3.0  # 3 m ahead, from 0.6 m above the camera up
    for max_height_m, is_in_the_way in ((1.3, False), (2.0, True)):
        options = ObstacleOptions(max_height_m=max_height_m)
        assert (ObstacleFinder(RIG, options).find(beam, ALL, SURE).nearest is not None) == is_in_the_way


def test_a_range_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="min_height_m 3 must be below max_height_m 2"):
        ObstacleOptions(min_height_m=3)
    with pytest.raises(ValueError, match="at least 4 cells"):
        ObstacleOptions(range_m=0.3)
