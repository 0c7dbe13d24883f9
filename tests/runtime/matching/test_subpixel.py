"""Matches that are off by a little, made exact where there is texture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from roma_device.calibration.arrays import Image
from roma_device.runtime.matching.dense import MOST_PX, refined_subpixel
from roma_device.runtime.matching.point_pairs import PointPairs

SHIFT = np.array([7.4, -3.6])


def textured(size: tuple[int, int]) -> Image:
    noise = np.random.default_rng(1).integers(0, 255, (size[1] // 2, size[0] // 2), dtype=np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC), (0, 0), 1.0)


def moved(image: Image) -> Image:
    return cv2.warpAffine(image, np.column_stack([np.eye(2), SHIFT]), image.shape[::-1], flags=cv2.INTER_CUBIC)


def pairs_of(size: tuple[int, int], off_px: float) -> PointPairs:
    """All right but for an error of ``off_px`` in a random direction."""
    x, y = np.meshgrid(np.arange(40.0, size[0] - 40, 9), np.arange(40.0, size[1] - 40, 9))
    a = np.column_stack([x.ravel(), y.ravel()])
    angle = np.random.default_rng(2).uniform(0, 2 * np.pi, len(a))
    error = off_px * np.column_stack([np.cos(angle), np.sin(angle)])
    return PointPairs(a, a + SHIFT + error, np.full(len(a), 0.9), np.arange(len(a)))


def errors_px(pairs: PointPairs) -> Any:
    return np.linalg.norm(pairs.b - pairs.a - SHIFT, axis=1)


@pytest.mark.parametrize(("scale", "off_px"), [(1.0, 0.8), (2.4, 2.5)])
def test_matches_become_exact(scale: float, off_px: float) -> None:
    """Where the network saw a smaller image, its errors are larger in pixels of the image."""
    size = (320, 240)
    image, pairs = textured(size), pairs_of(size, off_px)
    result = refined_subpixel(pairs, image, moved(image), scale)
    assert np.median(errors_px(result)) < 0.1 * off_px
    assert (errors_px(result) < 0.3).mean() > 0.9
    assert np.array_equal(result.a, pairs.a) and np.array_equal(result.block, pairs.block)
    assert result.confirmed is not None and result.confirmed > 0.95


def test_what_has_no_texture_stays_as_it_is() -> None:
    rng = np.random.default_rng(3)
    flat = [np.clip(120 + rng.normal(0, 1, (240, 320)), 0, 255).astype(np.uint8) for _ in range(2)]
    pairs = pairs_of((320, 240), 0.8)
    result = refined_subpixel(pairs, *flat)
    assert np.array_equal(result.b, pairs.b) and result.confirmed is None


def test_patches_do_not_carry_a_match_away() -> None:
    """Matches that are wrong by far: no patch may move them by more than a network is off."""
    image, right = textured((320, 240)), pairs_of((320, 240), 0.0)
    wrong = replace(right, b=right.b + np.array([6.0, 5.0]))
    result = refined_subpixel(wrong, image, moved(image))
    assert np.linalg.norm(result.b - wrong.b, axis=1).max() < MOST_PX


@pytest.mark.parametrize("off_px", [4.0, 7.0])
def test_matches_that_are_guessed_are_not_confirmed(off_px: float) -> None:
    """Patches are found near what a network guesses, but not where it has them."""
    image = textured((320, 240))
    result = refined_subpixel(pairs_of((320, 240), off_px), image, moved(image))
    assert result.confirmed is not None and result.confirmed < 0.5
    assert result[np.arange(5)].confirmed == result.confirmed


def test_nothing_is_nothing() -> None:
    image = textured((320, 240))
    assert len(refined_subpixel(PointPairs.none(), image, image)) == 0
