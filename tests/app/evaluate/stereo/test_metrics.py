import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from roma_device.app.evaluate.stereo.index import LoadedPair
from roma_device.app.evaluate.stereo.metrics import StereoMetrics, at_width, mean_of, measure, share_of_most_certain

NO = np.nan
SHAPE = (4, 5)
disparities = hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 200, width=32))
predictions = hnp.arrays(np.float32, SHAPE, elements=st.floats(-10, 210, width=32) | st.sampled_from([NO, np.inf]))


def row(*values):
    return np.array([values], np.float32)


def test_hand_computed_figures():
    truth = row(10, 10, 10, 10, 100, NO)
    found = row(10, 11.5, 12.5, 14, 104, 0)
    metrics = measure(found, truth)
    assert (metrics.bad1, metrics.bad2, metrics.bad3) == (4 / 5, 3 / 5, 2 / 5)
    assert metrics.epe == pytest.approx((0 + 1.5 + 2.5 + 4 + 4) / 5)
    assert metrics.d1 == 1 / 5  # 4 px are below 5 % of 100
    assert metrics.density == 1
    assert metrics.bad2_80 is None


def test_an_error_on_the_threshold_is_not_bad():
    metrics = measure(row(1, 2, 3), row(0, 0, 0))
    assert (metrics.bad1, metrics.bad2, metrics.bad3) == (2 / 3, 1 / 3, 0)


@pytest.mark.parametrize("missing", [NO, np.inf, -np.inf])
def test_missing_predictions_are_bad_and_outside_the_epe(missing):
    metrics = measure(row(10, 10.5, missing, missing), row(10, 10, 10, NO))
    assert metrics.bad1 == metrics.bad2 == metrics.bad3 == metrics.d1 == pytest.approx(1 / 3)
    assert metrics.epe == pytest.approx(0.25)
    assert metrics.density == pytest.approx(2 / 3)


def test_only_pixels_within_the_mask_count():
    assert measure(row(0, 9), row(0, 0), within=np.array([[True, False]])).bad3 == 0


def test_nothing_to_measure_gives_nan():
    metrics = measure(row(1), row(NO), certainty=row(1))
    assert all(np.isnan([metrics.bad1, metrics.bad2, metrics.epe, metrics.d1, metrics.density, metrics.bad2_80]))


@pytest.mark.parametrize("wrong", ["predicted_px", "certainty", "within"])
def test_shapes_must_fit(wrong):
    arrays = {name: row(1, 2) for name in ("predicted_px", "truth_px", "certainty", "within")}
    arrays[wrong] = row(1, 2, 3)
    with pytest.raises(ValueError, match=r"\(1, 3\) does not fit the truth's \(1, 2\)"):
        measure(**arrays)


@settings(deadline=None)
@given(found=predictions, truth=disparities)
def test_bad_shares_fall_with_the_threshold(found, truth):
    metrics = measure(found, truth)
    assert 1 >= metrics.bad1 >= metrics.bad2 >= metrics.bad3 >= metrics.d1 >= 0
    assert metrics.d1 + metrics.density >= 1 - 1e-12


@settings(deadline=None)
@given(truth=disparities)
def test_a_perfect_prediction_has_no_error(truth):
    metrics = measure(truth, truth, certainty=truth)
    assert metrics == StereoMetrics(0, 0, 0, 0, 0, 1, 0)


@settings(deadline=None)
@given(found=predictions, truth=disparities, certainty=disparities)
def test_bad2_80_is_the_best_when_certainty_ranks_the_errors(found, truth, certainty):
    with np.errstate(invalid="ignore"):
        error = np.nan_to_num(np.abs(found - truth), nan=np.inf)
    best = measure(found, truth, certainty=-error).bad2_80
    assert best <= measure(found, truth, certainty=certainty).bad2_80 + 1e-12
    assert best <= measure(found, truth).bad2 + 1e-12


def test_the_least_certain_fifth_is_left_out():
    bad = np.array([True, False, True, False, False])
    assert share_of_most_certain(bad, np.array([0.1, 0.5, 0.6, 0.7, 0.8])) == 1 / 4
    assert share_of_most_certain(bad, np.array([0.5, 0.1, 0.6, 0.7, 0.8])) == 2 / 4


def test_nan_is_the_least_certain():
    assert share_of_most_certain(np.array([True, False, False, False, False]), row(NO, 0, 0, 0, 0)[0]) == 0


@given(order=st.permutations(range(10)))
def test_equal_certainties_count_by_their_mean_in_any_order(order):
    bad = np.array([True, True, True] + [False] * 7)[list(order)]
    assert share_of_most_certain(bad, np.ones(10)) == pytest.approx(0.3)


def test_ties_at_the_cut_share_the_places_that_are_left():
    # Four places: two are taken by the certain ones, two are left for three equal ones with one bad.
    bad = np.array([True, False, True, False, False])
    assert share_of_most_certain(bad, np.array([2, 2, 1, 1, 1])) == pytest.approx((1 + 2 / 3) / 4)


def test_the_mean_counts_each_pair_once_and_leaves_nan_out():
    mean = mean_of([StereoMetrics(0.2, 0.1, 0, 1, 0, 1), StereoMetrics(0.4, 0.3, 0, NO, 0, 0.5)])
    assert mean == StereoMetrics(pytest.approx(0.3), 0.2, 0, 1, 0, 0.75)


def pair(width, height, nonocc=None):
    images = np.full((height, width), 7, np.uint8)
    columns = np.tile(np.arange(width, dtype=np.float32), (height, 1))
    return LoadedPair(images, images, columns, nonocc)


def test_disparity_scales_with_the_width():
    resized = at_width(pair(40, 20), 80)
    assert resized.left.shape == resized.right.shape == resized.disparity_px.shape == (40, 80)
    assert resized.disparity_px[0, -1] == 39 * 2
    assert resized.disparity_px.dtype == np.float32


def test_truth_is_taken_and_not_interpolated():
    halved = at_width(pair(40, 20), 20)
    assert set(halved.disparity_px.ravel() * 2) <= set(range(40))


def test_unknown_stays_unknown_without_spreading():
    original = pair(8, 4)
    original.disparity_px[:, 3] = NO
    np.testing.assert_array_equal(
        np.isnan(at_width(original, 16).disparity_px[0]), [False] * 6 + [True] * 2 + [False] * 8
    )


def test_the_mask_goes_along():
    nonocc = np.zeros((4, 8), bool)
    nonocc[:, 4:] = True
    resized = at_width(pair(8, 4, nonocc), 4).nonocc
    assert resized.dtype == np.bool_
    np.testing.assert_array_equal(resized, [[False, False, True, True]] * 2)


def test_images_shrink_by_area():
    original = pair(4, 2)
    original.left[:] = [[0, 100, 0, 100]] * 2
    np.testing.assert_array_equal(at_width(original, 2).left, [[50, 50]])


def test_every_pixel_counts_when_images_shrink() -> None:
    """Of eight columns each of the two left ones is the mean of four, not of the two in its middle."""
    original = pair(8, 4)
    original.left[:] = [[80, 0, 0, 80, 0, 40, 40, 0]] * 4
    np.testing.assert_array_equal(at_width(original, 2).left, [[40, 20]])
