"""Speckles, edges, holes, blocks and the region of one map."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roma_device.calibration.arrays import Size
from roma_device.runtime.filters.spatial import (
    block_median,
    fill_holes,
    region_mask,
    without_edges,
    without_speckles,
)
from roma_device.runtime.filters.surroundings import Surroundings

MAPS = arrays(np.float32, (12, 16), elements=st.floats(0, 100, width=32))
MASKS = arrays(np.bool_, (12, 16))


def plane() -> np.ndarray:
    return np.full((40, 60), 10, np.float32)


def test_a_patch_of_another_depth_goes_and_a_large_one_stays() -> None:
    disparity_px = plane()
    disparity_px[5:9, 5:9] = 30
    disparity_px[20:38, 20:50] = 30
    valid = without_speckles(disparity_px, np.ones((40, 60), bool), 100, 1.0)
    assert not valid[5:9, 5:9].any()
    assert valid.sum() == valid.size - 16


def test_the_near_side_of_an_edge_goes_and_the_far_side_stays() -> None:
    disparity_px = plane()
    disparity_px[:, 30:] = 20
    valid = without_edges(disparity_px, np.ones((40, 60), bool), 2, 0.1)
    assert not valid[:, 30:32].any()
    assert valid[:, :30].all() and valid[:, 32:].all()


def test_in_doubtful_surroundings_what_stands_out_goes_and_what_lies_behind_stays() -> None:
    disparity_px = np.full((120, 160), 10, np.float32)
    certainty, known = np.full((120, 160), 0.1, np.float32), np.ones((120, 160), bool)
    disparity_px[50:70, 60:70] = disparity_px[50:70, 130:140] = 30
    certainty[50:70, 60:80] = 0.7  # a phantom beside the wall behind it
    certainty[:, 120:] = 0.9  # and something near that is seen well
    left = Surroundings(disparity_px, certainty, 0.4).without_doubtful(known)
    assert not left[50:70, 60:70].any() and left[50:70, 70:80].all() and left[:, 150:].all()
    assert Surroundings(disparity_px, np.full_like(certainty, 0.9), 0.4).without_doubtful(known).all()


@settings(deadline=None)
@given(MAPS, MASKS, st.floats(0, 1))
def test_doubt_only_takes_away_and_bears_what_is_not_finite(
    disparity_px: np.ndarray, valid: np.ndarray, doubt: float
) -> None:
    disparity_px[0, 0] = np.nan
    left = Surroundings(disparity_px, disparity_px / np.float32(100), doubt).without_doubtful(valid)
    assert not (left & ~valid).any()


def test_less_certainty_is_enough_for_what_does_not_stand_out() -> None:
    disparity_px = np.full((120, 160), 10, np.float32)
    certainty = np.full((120, 160), 0.9, np.float32)
    disparity_px[50:70, 60:70] = 30  # a thing before the wall
    certainty[:, 120:] = 0.2
    around = Surroundings(disparity_px, certainty, 0.4)
    threshold = around.threshold(0.5, 0.1)
    assert (threshold[50:70, 60:70] == 0.5).all()
    assert threshold[10, 10] == threshold[10, 150] == threshold.min() == np.float32(0.4)
    assert around.threshold(0.1, 0.5).min() == np.float32(0.05)  # what is not certain at all never counts


def test_a_fence_of_phantoms_goes_though_most_of_what_is_around_is_as_near() -> None:
    disparity_px = np.full((200, 320), 10, np.float32)
    certainty = np.full((200, 320), 0.9, np.float32)
    disparity_px[80:, 40:280], certainty[80:, 40:280] = 30, 0.4  # the wall above is seen well, the fence is not
    certainty[80:, 100:120] = 0.8
    left = Surroundings(disparity_px, certainty, 0.6).without_doubtful(certainty >= 0.5)
    assert not left[120:, 100:120].any() and left[:60].all()


def test_a_slanted_floor_has_no_edges() -> None:
    disparity_px = np.repeat(np.linspace(5, 40, 400, dtype=np.float32)[:, None], 60, axis=1)
    assert without_edges(disparity_px, np.ones((400, 60), bool), 1, 0.1).all()


def test_a_small_hole_is_filled_from_the_farther_side_and_a_large_one_stays() -> None:
    disparity_px = plane()
    disparity_px[:, 30:] = 20
    valid = np.ones((40, 60), bool)
    valid[10:12, 28:33] = False
    valid[20:35, 10:50] = False
    filled, known = fill_holes(disparity_px, valid, 20)
    assert (filled[10:12, 28:33] == 10).all() and known[10:12, 28:33].all()
    assert not known[20:35, 10:50].any()


@settings(deadline=None)
@given(MAPS, MASKS, st.integers(0, 200))
def test_filling_changes_nothing_that_is_known(disparity_px: np.ndarray, valid: np.ndarray, largest_px: int) -> None:
    filled, known = fill_holes(disparity_px, valid, largest_px)
    assert known[valid].all()
    assert np.array_equal(filled[valid], disparity_px[valid])


@settings(deadline=None)
@given(MAPS, MASKS, st.integers(2, 5))
def test_each_block_has_the_lower_median_of_what_is_known_in_it(
    disparity_px: np.ndarray, valid: np.ndarray, side: int
) -> None:
    result, known = block_median(disparity_px, valid, side)
    for row in range(12 // side):
        for column in range(16 // side):
            block = slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)
            inside = np.sort(disparity_px[block][valid[block]])
            assert known[block].all() == known[block].any() == (2 * len(inside) >= side**2)
            if known[block].all():
                assert (result[block] == inside[(len(inside) - 1) // 2]).all()


@settings(deadline=None)
@given(MAPS, MASKS)
def test_what_was_unknown_stays_so(disparity_px: np.ndarray, valid: np.ndarray) -> None:
    for kept in (without_speckles(disparity_px, valid, 20, 1.0), without_edges(disparity_px, valid, 1, 0.1)):
        assert not (kept & ~valid).any()


def test_the_region_is_counted_from_pixel_centres() -> None:
    mask = region_mask((0.25, 0.5, 1.0, 1.0), Size(8, 4))
    assert mask[2:, 2:].all() and mask.sum() == 12
