import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.app.sinks import open_sink
from roma_device.app.sinks.colour_scale import UNKNOWN_BGR, ColourScale
from roma_device.app.sinks.preview import draw_preview
from roma_device.runtime.rectified_images import RectifiedImages
from roma_device.runtime.types import DepthMap, Matches

limits = st.tuples(st.floats(1e-2, 300), st.floats(1.0005, 3000)).map(lambda pair: (pair[0], pair[0] * pair[1]))


def result_of_size(make_result, width, height, metric=True):
    depth_m = np.tile(np.linspace(1, 5, width, dtype=np.float32), (height, 1))
    ones = np.ones((height, width), np.float32)
    return make_result(
        matches=Matches(ones, 10 / depth_m),
        valid=ones > 0,
        depth=DepthMap(depth_m, ones, 0) if metric else None,
        images=RectifiedImages(*2 * (np.full((height, width, 3), (200, 100, 0), np.uint8),)),
    )


@pytest.mark.parametrize("metric", [True, False])
@pytest.mark.parametrize(
    ("size", "panel"),
    [
        ((320, 240), (480, 360)),
        ((640, 480), (640, 480)),
        ((2000, 1500), (960, 720)),
        ((1242, 375), (960, 290)),
        ((480, 1920), (240, 960)),
        ((1000, 20), (960, 19)),
    ],
)
def test_shows_image_depth_and_scale_side_by_side(make_result, size, panel, metric):
    picture = draw_preview(result_of_size(make_result, *size, metric=metric))
    width, height = panel
    assert picture.dtype == np.uint8
    assert picture.shape[0] > height
    assert picture.shape[1] > 2 * width
    assert (picture[:height, :width] == (200, 100, 0)).all()
    assert not (picture[:height, picture.shape[1] - 3 :] != 250).any()


def redness(bgr):
    return int(bgr[2]) - int(bgr[0])


@pytest.mark.parametrize("metric", [True, False])
def test_near_is_warm_and_far_is_cold(make_result, metric):
    picture = draw_preview(result_of_size(make_result, 480, 360, metric=metric))
    right_panel = picture[180, 480 + 20 : 960]
    assert redness(right_panel[0]) > 100
    assert redness(right_panel[-1]) < -50


def test_unknown_pixels_are_dark_grey_and_no_known_one_is(make_result):
    result = result_of_size(make_result, 480, 360)
    result.valid[100:200, 50:150] = False
    picture = draw_preview(result)
    grey = (picture[:360, 480:965].astype(int) == UNKNOWN_BGR).all(axis=2)
    assert grey.sum() == 100 * 100


def test_caption_changes_with_the_frame(make_result):
    result = make_result(1)
    one, other = draw_preview(result), draw_preview(dataclasses.replace(result, index=2))
    strip = one.shape[0] - 15
    assert (one[strip:] != other[strip:]).any()


def test_picture_does_not_need_a_disparity(make_result):
    matches = Matches(np.ones((32, 48), np.float32), None, np.zeros((32, 48, 2), np.float32))
    assert draw_preview(make_result(metric=False, matches=matches)).size > 0


@settings(deadline=None)
@given(limits, st.booleans())
def test_four_to_six_round_ticks_lie_within_the_scale(ends, of_depth):
    scale = ColourScale(*ends, of_depth)
    ticks = scale.ticks()
    assert 4 <= len(ticks) <= 6
    assert ticks == sorted(set(ticks))
    slack = 1e-6 * (scale.high - scale.low)
    assert scale.low - slack <= ticks[0]
    assert ticks[-1] <= scale.high + slack
    assert len({f"{tick:.6g}" for tick in ticks}) == len(ticks)


@settings(deadline=None)
@given(limits, st.booleans())
def test_position_runs_from_zero_to_one_and_clips_beyond(ends, of_depth):
    scale = ColourScale(*ends, of_depth)
    positions = scale.position([ends[0] / 2, ends[0], (ends[0] + ends[1]) / 2, ends[1], ends[1] * 2])
    np.testing.assert_allclose(positions[[0, 1, 3, 4]], [0, 0, 1, 1], atol=1e-9)
    assert 0 < positions[2] < 1


def test_range_ignores_outliers_and_unknown_pixels():
    values = np.linspace(2, 4, 1000, dtype=np.float32)
    values[:5], values[5:10], values[10:20] = 1000, 0.001, np.nan
    scale = ColourScale.fit(values.reshape(20, 50), of_depth=True)
    assert 1.9 < scale.low < 2.2
    assert 3.8 < scale.high < 4.1


@pytest.mark.parametrize("value", [np.nan, 0.0, 3.0, 1e-6, 1e4])
def test_flat_and_empty_scenes_have_a_scale_too(value):
    scale = ColourScale.fit(np.full((4, 4), value, np.float32), of_depth=False)
    assert scale.low < scale.high
    assert len(scale.ticks()) >= 4


def test_colours_are_far_from_the_one_for_unknown():
    scale = ColourScale(1, 2, True)
    colours = scale.colours(np.linspace(1, 2, 256, dtype=np.float32)[None])
    assert np.abs(colours.astype(int) - UNKNOWN_BGR).max(axis=2).min() > 60
    assert (scale.colours(np.array([[np.nan, np.inf, -np.inf]], np.float32)) == UNKNOWN_BGR).all()


def test_png_decodes_to_the_picture(tmp_path, make_result):
    with open_sink("preview", tmp_path) as sink:
        sink.write(make_result())
    decoded = cv2.imread(str(tmp_path / "000000_preview.png"))
    np.testing.assert_array_equal(decoded, draw_preview(make_result()))
