import numpy as np

from roma_device.app.evaluate.stereo.ground_truth import visible_in_right

BACK_PX, FRONT_PX = 2, 6


def scene():
    """One surface before another: columns 20 to 29 of 40 are 4 px nearer."""
    disparity = np.full((3, 40), BACK_PX, np.float32)
    disparity[:, 20:30] = FRONT_PX
    return disparity


def test_background_left_of_a_nearer_surface_and_the_left_edge_are_hidden():
    # The surface covers columns 14 to 23 of the right image; background lands at x - 2.
    expected = np.ones((3, 40), bool)
    expected[:, :BACK_PX] = False
    expected[:, 16:20] = False
    np.testing.assert_array_equal(visible_in_right(scene()), expected)


def test_a_slanted_surface_does_not_hide_itself():
    slanted = np.tile(np.linspace(0, 20, 60, dtype=np.float32), (2, 1))
    assert visible_in_right(slanted).all()


def test_steps_within_the_tolerance_hide_nothing():
    disparity = scene()
    disparity[:, 20:30] = BACK_PX + 1
    assert visible_in_right(disparity)[:, BACK_PX:].all()


def test_pixels_without_truth_are_not_visible_and_hide_nothing():
    disparity = scene()
    disparity[0, 20:30] = np.nan
    visible = visible_in_right(disparity)
    np.testing.assert_array_equal(np.flatnonzero(~visible[0]), [0, 1, *range(20, 30)])


def test_what_lands_right_of_the_image_is_hidden():
    visible = visible_in_right(np.full((1, 8), -3, np.float32))
    np.testing.assert_array_equal(visible[0], [True] * 5 + [False] * 3)


def test_sparse_truth_tells_nothing():
    disparity = scene()
    disparity[:, ::2] = np.nan
    assert visible_in_right(disparity) is None
