"""Disparity, depth and confidence, read back as a user would."""

import cv2
import numpy as np

from roma_device.app.sinks import open_sink
from roma_device.app.sinks.pfm import read_pfm
from roma_device.runtime.types import DepthMap, Matches


def write(name, folder, result):
    with open_sink(name, folder) as sink:
        sink.write(result)
    return next(folder.iterdir())


def test_disparity_is_in_px_with_infinity_for_unknown(tmp_path, make_result):
    result = make_result()
    values = read_pfm(write("disparity", tmp_path, result))
    assert np.isinf(values[~result.valid]).all()
    np.testing.assert_array_equal(values[result.valid], result.matches.disparity_px[result.valid])


def test_disparity_that_is_no_number_is_unknown(tmp_path, make_result):
    result = make_result()
    result.matches.disparity_px[0, 0] = np.nan
    assert np.isposinf(read_pfm(write("disparity", tmp_path, result))[0, 0])


def test_free_views_have_no_disparity_and_say_so_once(tmp_path, make_result, log):
    matches = Matches(np.ones((32, 48), np.float32), None, np.zeros((32, 48, 2), np.float32))
    with open_sink("disparity", tmp_path) as sink:
        sink.write(make_result(0, metric=False, matches=matches))
        sink.write(make_result(1, metric=False, matches=matches))
    assert list(tmp_path.iterdir()) == []
    assert len(log) == 1


def test_depth_is_in_millimetres_with_zero_for_unknown(tmp_path, make_result):
    result = make_result()
    image = cv2.imread(str(write("depth", tmp_path, result)), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint16
    assert (image[~result.valid] == 0).all()
    np.testing.assert_allclose(image[result.valid], result.depth.depth_m[result.valid] * 1000, atol=0.501)


def test_depth_of_matches_that_are_not_valid_is_unknown(tmp_path, make_result):
    result = make_result()
    result.valid[:5] = False
    image = cv2.imread(str(write("depth", tmp_path, result)), cv2.IMREAD_UNCHANGED)
    assert (image[:5] == 0).all()
    assert image[5:].any()


def test_depth_beyond_the_format_does_not_come_near(tmp_path, make_result):
    depth = DepthMap(np.full((32, 48), 70.0, np.float32), np.ones((32, 48), np.float32), 0)
    image = cv2.imread(str(write("depth", tmp_path, make_result(depth=depth))), cv2.IMREAD_UNCHANGED)
    assert (image == 0).all()


def test_confidence_spans_the_byte(tmp_path, make_result):
    certainty = np.array([[0, 0.5, 1], [np.nan, -1, 2]], np.float32)
    result = make_result(matches=Matches(certainty, np.ones((2, 3), np.float32)))
    image = cv2.imread(str(write("confidence", tmp_path, result)), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, [[0, 128, 255], [0, 0, 255]])
