import json

import numpy as np
import pytest

from roma_device.app.sinks.results import result_record
from roma_device.runtime.types import DepthMap, Frame, Matches, Result, StageTimes, StereoFrame


def result(depth_m=None, disparity_px=(2.0, 4.0, 8.0), valid=(True, True, True), **changes):
    image = np.zeros((1, 3), np.uint8)
    disparity = None if disparity_px is None else np.array([disparity_px], np.float32)
    depth = None
    if depth_m is not None:
        depth = DepthMap(np.array([depth_m], np.float32), np.ones((1, 3), np.float32), 100)
    values = {
        "frame": StereoFrame(Frame(image, 100, 5), Frame(image, 90, 5)),
        "index": 4,
        "matches": Matches(np.array([[0.5, 0.7, 0.9]], np.float32), disparity),
        "valid": np.array([valid]),
        "rig": None,
        "depth": depth,
        "images": None,
        "times": StageTimes({"rectify": 1.25, "run": 20.5}),
        "dropped": 2,
    }
    return Result(**(values | changes))


def test_record_holds_what_the_frame_was():
    assert result_record(result(depth_m=(1.0, 2.0, 4.0))) == {
        "index": 4,
        "timestamp_ns": 100,
        "skew_ns": -10,
        "size": [3, 1],
        "times": {"rectify_ms": 1.25, "run_ms": 20.5},
        "total_ms": 21.75,
        "valid_ratio": 1.0,
        "median_depth_m": 2.0,
        "median_disparity_px": 4.0,
        "mean_certainty": 0.7,
        "dropped": 2,
        "pose": None,
        "obstacles": None,
    }


def test_medians_are_over_known_pixels_alone():
    record = result_record(result(depth_m=(1.0, np.nan, 4.0), valid=(True, True, False)))
    assert record["median_depth_m"] == 1.0
    assert record["median_disparity_px"] == 2.0
    assert record["valid_ratio"] == pytest.approx(1 / 3, abs=1e-4)


@pytest.mark.parametrize(
    "case",
    [
        result(),
        result(disparity_px=None),
        result(valid=(False, False, False)),
        result(depth_m=(np.nan, np.nan, np.nan)),
        result(disparity_px=(np.nan, np.inf, -np.inf)),
        result(times=StageTimes({"run": float("nan"), "save": float("inf")})),
        result(matches=Matches(np.full((1, 3), np.nan, np.float32), None)),
    ],
)
def test_every_record_is_strict_json_with_the_same_keys(case):
    record = result_record(case)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert list(record) == list(result_record(result(depth_m=(1.0, 2.0, 4.0))))


def test_unknown_numbers_are_null():
    record = result_record(result(valid=(False, False, False)))
    assert record["median_disparity_px"] is None
    assert record["median_depth_m"] is None
    assert record["valid_ratio"] == 0


def test_without_a_network_there_is_no_share_of_known_pixels():
    record = result_record(result(matches=Matches(np.zeros((1, 3), np.float32)), valid=(False, False, False)))
    assert record["valid_ratio"] is None and record["mean_certainty"] is None


def test_known_means_valid_and_with_a_possible_depth():
    case = result(depth_m=(0.0, np.inf, 3.0))
    np.testing.assert_array_equal(case.known, [[False, False, True]])
    np.testing.assert_array_equal(result(valid=(True, False, True)).known, [[True, False, True]])
