"""Points followed by their patches, and by a network that says where to begin."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from roma_device.calibration.arrays import Image
from roma_device.runtime.odometry.network_tracker import NetworkTracker
from roma_device.runtime.odometry.trackers import KltTracker
from roma_device.runtime.types import Matches

SIZE = (320, 240)
TURN = cv2.getRotationMatrix2D((160, 120), 2, 1.02) + np.array([[0, 0, 70.3], [0, 0, -20.6]])
"""Too far for patches that are looked for at their own place."""


def warped(points: Any) -> Any:
    return points @ TURN[:, :2].T + TURN[:, 2]


@pytest.fixture(scope="module")
def images() -> tuple[Image, Image]:
    noise = np.random.default_rng(2).integers(0, 255, (120, 160), dtype=np.uint8)
    first = cv2.GaussianBlur(cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC), (0, 0), 1.0)
    return first, cv2.warpAffine(first, TURN, SIZE)


@pytest.fixture(scope="module")
def points() -> Any:
    x, y = np.meshgrid(np.arange(20.0, 230, 13), np.arange(40.0, 220, 13))
    return np.column_stack([x.ravel(), y.ravel()])


class RoughMatch:
    """As a network has it: the truth, 2 px off, and certain of the upper half of the image alone."""

    min_certainty = 0.5

    def __init__(self) -> None:
        self.calls = 0
        self.closed: list[bool] = []

    def close(self) -> None:
        self.closed.append(True)

    def match_all(self, first: Image, second: Image) -> Matches:
        self.calls += 1
        x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
        warp = warped(np.dstack([x, y]).astype(float)) + np.array([1.5, -1.4])
        certainty = np.where(y < 120, 0.9, 0.1)
        return Matches(certainty.astype(np.float32), two_view_warp=warp.astype(np.float32))


def inside(places: Any) -> Any:
    return ((places > 8) & (places < np.array(SIZE) - 9)).all(axis=1)


def test_the_network_says_where_to_begin_and_patches_where_exactly(images: tuple[Image, Image], points: Any) -> None:
    tracker = NetworkTracker(RoughMatch())
    places, found = tracker.follow(*images, points, points)
    certain = (points[:, 1] < 110) & inside(warped(points))
    error_px = np.linalg.norm(places - warped(points), axis=1)
    assert found[certain].mean() > 0.9
    assert np.median(error_px[certain & found]) < 0.1 and error_px[certain & found].max() < 0.5


def test_patches_alone_do_not_find_what_went_that_far(images: tuple[Image, Image], points: Any) -> None:
    places, found = KltTracker().follow(*images, points, points)
    right = found & (np.linalg.norm(places - warped(points), axis=1) < 1)
    assert right.mean() < 0.3


def test_what_the_network_does_not_know_is_looked_for_at_the_guess(images: tuple[Image, Image], points: Any) -> None:
    tracker = NetworkTracker(RoughMatch())
    lower = points[points[:, 1] > 130]
    guess = warped(lower) + np.array([6.0, -5.0])
    places, found = tracker.follow(*images, lower, guess)
    alone = KltTracker().follow(*images, lower, guess)
    assert np.array_equal(places, alone[0]) and np.array_equal(found, alone[1]) and found.mean() > 0.5


def test_the_network_runs_once_for_the_same_two_images(images: tuple[Image, Image], points: Any) -> None:
    match = RoughMatch()
    tracker = NetworkTracker(match)
    for guess in (points, points + 3):
        tracker.follow(*images, points, guess)
    assert match.calls == 1
    tracker.follow(images[1], images[0], points, points)
    assert match.calls == 2
    tracker.close()
    assert match.closed == [True]


def test_no_points_need_no_network(images: tuple[Image, Image]) -> None:
    match = RoughMatch()
    places, found = NetworkTracker(match).follow(*images, np.empty((0, 2)), np.empty((0, 2)))
    assert places.shape == (0, 2) and len(found) == 0 and match.calls == 0
