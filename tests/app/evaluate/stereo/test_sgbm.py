import cv2
import numpy as np
import pytest

from roma_device.app.evaluate.stereo.evaluate import SgbmMatcher, fill_holes

NO = np.nan


def filled(row):
    values = np.array([row], np.float32)
    return fill_holes(values, np.isfinite(values))[0].tolist()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([5, NO, NO, 3], [5, 3, 3, 3]),
        ([3, NO, NO, 5], [3, 3, 3, 5]),
        ([NO, 4, NO], [4, 4, 4]),
        ([NO, NO], [0, 0]),
        ([7, NO, 9, NO, 8], [7, 7, 9, 8, 8]),
        ([1, 2], [1, 2]),
    ],
)
def test_a_hole_takes_the_smaller_of_its_neighbours_in_the_row(row, expected):
    assert filled(row) == expected


def test_rows_do_not_mix():
    values = np.array([[1, NO], [NO, 2], [NO, NO]], np.float32)
    np.testing.assert_array_equal(fill_holes(values, np.isfinite(values)), [[1, 1], [2, 2], [0, 0]])


def shifted_pair(shift_px=12):
    texture = np.random.default_rng(0).integers(0, 255, (80, 240), np.uint8)
    texture = cv2.GaussianBlur(texture, (3, 3), 0)
    return texture[:, :200].copy(), texture[:, shift_px : 200 + shift_px].copy()


def test_a_shift_is_found_up_to_the_left_edge():
    disparity, certainty = SgbmMatcher().match(*shifted_pair())
    assert certainty is None
    assert disparity.dtype == np.float32
    assert disparity.shape == (80, 200)
    assert np.isfinite(disparity).all()
    assert (np.abs(disparity - 12) < 0.5).mean() > 0.99


def test_colour_is_taken_as_well():
    left, right = shifted_pair()
    grey, _ = SgbmMatcher().match(left, right)
    colour, _ = SgbmMatcher().match(*(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) for image in (left, right)))
    np.testing.assert_array_equal(grey, colour)
