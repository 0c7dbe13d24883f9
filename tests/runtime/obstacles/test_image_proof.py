"""What the images bear out of obstacles: made pairs of known ground, with bulges of the disparity and with boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from roma_device.calibration.arrays import GreyImage, Size
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.obstacles.find import ObstacleFinder
from roma_device.runtime.obstacles.obstacle_map import FREE, OCCUPIED, ObstacleMap
from roma_device.runtime.obstacles.options import ObstacleOptions
from roma_device.runtime.rectified_images import RectifiedImages

RIG = RectifiedRig(Size(640, 320), 480.0, 0.12, 319.5, 159.5)
X, Y = np.meshgrid(np.arange(640, dtype=np.float32), np.arange(320, dtype=np.float32))
HEIGHT_M, SINE, COSINE = 0.8, np.sin(0.2), np.cos(0.2)
DOWN = COSINE * (Y - 159.5) / 480 + SINE
"""How far a ray goes down per metre of depth."""

GROUND_PX = (480 * 0.12 / HEIGHT_M * np.maximum(DOWN, HEIGHT_M / 30)).astype(np.float32)
SURE, ALL = np.full((320, 640), 0.9, np.float32), np.ones((320, 640), bool)


def box(distance_m: float, side_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Disparity of the ground with the front of a box in the middle, and the mask of the box."""
    depth_m = distance_m / (COSINE - SINE * (Y - 159.5) / 480)
    above_m = HEIGHT_M - DOWN * depth_m
    inside = (np.abs((X - 319.5) / 480 * depth_m) < side_m / 2) & (above_m > 0) & (above_m < side_m)
    return np.where(inside, 480 * 0.12 / depth_m, GROUND_PX).astype(np.float32), inside


def pair(disparity_px: np.ndarray, stretch: int = 1, contrast: float = 40) -> RectifiedImages:
    """Images of a random texture with this disparity; ``stretch`` makes it long along the rows, as planks are."""
    rng = np.random.default_rng(0)
    cells = rng.normal(128, contrast, (320, 640 // stretch + 2)).astype(np.float32)
    right = cv2.GaussianBlur(cv2.resize(cells, (640, 320), interpolation=cv2.INTER_CUBIC), (0, 0), 1)
    left = cv2.remap(right, X - disparity_px, Y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return RectifiedImages(*(noisy(image, rng) for image in (left, right)))


def noisy(image: np.ndarray, rng: np.random.Generator) -> GreyImage:
    return np.clip(image + rng.normal(0, 1.6, image.shape), 0, 255).astype(np.uint8)


def found(disparity_px: np.ndarray, images: RectifiedImages | None, certainty: np.ndarray = SURE) -> ObstacleMap:
    noise = np.random.default_rng(1).normal(0, 0.1, disparity_px.shape)
    disparity_px = (disparity_px + noise).astype(np.float32)
    return ObstacleFinder(RIG, ObstacleOptions()).find(disparity_px, ALL, certainty, images)


def bulge() -> np.ndarray:
    """3 px more of disparity on a patch of ground 4 m ahead."""
    return GROUND_PX + 3 * np.exp(-((X - 320) ** 2) / 60**2 - (Y - 160) ** 2 / 12**2).astype(np.float32)


@pytest.mark.parametrize("stretch", [1, 40])
def test_a_bulge_of_the_disparity_over_flat_ground_is_no_obstacle(stretch: int) -> None:
    assert (found(bulge(), None).grid == OCCUPIED).any()
    obstacles = found(bulge(), pair(GROUND_PX, stretch))
    assert obstacles.nearest is None and not (obstacles.grid == OCCUPIED).any()
    assert np.isinf(obstacles.scan_m[obstacles.scan_m > 0]).all()


def test_what_is_not_borne_out_is_unknown_rather_than_free() -> None:
    doubted = found(bulge(), None).grid == OCCUPIED
    assert (found(bulge(), pair(GROUND_PX)).grid[doubted] != FREE).all()


@pytest.mark.parametrize(("distance_m", "side_m"), [(1.5, 0.3), (3.0, 0.2), (4.5, 0.2), (4.5, 0.6)])
def test_a_box_that_the_images_show_is_found(distance_m: float, side_m: float) -> None:
    disparity_px, _ = box(distance_m, side_m)
    obstacles = found(disparity_px, pair(disparity_px))
    assert obstacles.nearest is not None
    assert obstacles.nearest.distance_m == pytest.approx(distance_m, abs=0.1 + 0.04 * distance_m)


def test_images_exposed_differently_bear_it_out_too() -> None:
    disparity_px, _ = box(3.0, 0.3)
    images = pair(disparity_px)
    darker = RectifiedImages(images.left, (images.right * 0.9 - 10).clip(0, 255).astype(np.uint8))
    assert found(disparity_px, darker).nearest is not None


def test_a_wall_without_texture_counts_where_the_network_is_sure() -> None:
    disparity_px, _ = box(2.0, 0.7)
    blank, sure = pair(disparity_px, contrast=0), np.full_like(SURE, 0.95)
    assert found(disparity_px, blank, sure).nearest is not None
    assert found(disparity_px, blank, np.full_like(SURE, 0.6)).nearest is None


def test_the_images_set_the_ground_right_where_the_disparity_tilts_it() -> None:
    tilted = GROUND_PX + (0.012 * (Y - 240)).astype(np.float32)
    alone, aligned = found(tilted, None).ground, found(tilted, pair(GROUND_PX)).ground
    assert alone is not None and aligned is not None
    wanted_deg = np.degrees(0.2)
    assert abs(aligned.pitch_deg - wanted_deg) < 0.3 < abs(alone.pitch_deg - wanted_deg)
    assert aligned.height_m == pytest.approx(HEIGHT_M, rel=0.01)
