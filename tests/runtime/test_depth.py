from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.depth import DepthLimits, disparity_to_depth, make_depth, valid_matches
from roma_device.runtime.tensors.decode import decode_stereo, resize_disparity
from roma_device.runtime.tensors.inputs import InputPlan
from roma_device.runtime.types import Matches

RIG = RectifiedRig((8, 4), 500.0, 0.1, 3.5, 1.5)


def field(value: float, shape: tuple[int, int] = (4, 8)) -> np.ndarray:
    return np.full(shape, value, np.float32)


@given(z_m=st.floats(0.3, 40), focal_px=st.floats(50, 3000), baseline_m=st.floats(0.01, 2), offset=st.floats(-30, 30))
def test_depth_inverts_projection(z_m: float, focal_px: float, baseline_m: float, offset: float) -> None:
    rig = RectifiedRig((8, 4), focal_px, baseline_m, 0, 0, offset)
    disparity = focal_px * baseline_m / z_m - offset
    assert disparity_to_depth(field(disparity), rig)[0, 0] == pytest.approx(z_m, rel=1e-3, abs=0.02 * z_m)


@given(scale=st.floats(0.1, 4))
def test_depth_does_not_change_when_the_pair_is_resized(scale: float) -> None:
    rig = RectifiedRig((800, 400), 500.0, 0.1, 399.5, 199.5, 12.0)
    size = (round(800 * scale), round(400 * scale))
    ratio = size[0] / 800
    assert disparity_to_depth(field(20 * ratio), rig.scaled(size))[0, 0] == pytest.approx(
        disparity_to_depth(field(20), rig)[0, 0], rel=1e-5
    )


def test_no_disparity_is_infinitely_far() -> None:
    assert np.isinf(disparity_to_depth(field(0), RIG)).all()


def test_unknown_geometry_gives_no_depth() -> None:
    with pytest.raises(ValueError, match="focal length and baseline"):
        disparity_to_depth(field(1), RectifiedRig((8, 4), None, 0.1, 0, 0))


@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf")])
def test_impossible_baseline_is_refused(value: float) -> None:
    with pytest.raises(CalibrationError, match="baseline_m"):
        RectifiedRig((8, 4), 500.0, value, 0, 0)


def test_holes_stay_holes() -> None:
    disparity, certainty = field(25), field(0.9)
    disparity[0, :] = 3
    certainty[1, :] = 0.1
    disparity[2, :] = 0
    matches = Matches(certainty, disparity)
    valid = valid_matches(matches, 0.5)
    limits = DepthLimits(0.5, 10.0)
    depth = make_depth(matches, np.ones_like(valid), RIG, limits, 7)
    assert np.isnan(depth.depth_m[0]).all(), "16.7 m lies beyond the limit"
    assert np.isnan(depth.depth_m[2]).all(), "no disparity is no measurement"
    assert np.allclose(depth.depth_m[3], 2.0) and depth.timestamp_ns == 7
    assert not valid[1].any(), "uncertain"
    assert not valid[3].any(), "25 px to the left of column 7 is outside the right image"
    assert valid[0, 3:].all() and not valid[0, :3].any()


def test_pixels_out_of_the_cameras_view_are_invalid() -> None:
    matches = Matches(field(1), field(0))
    seen = np.zeros((4, 8), np.bool_)
    seen[1, 2] = True
    assert valid_matches(matches, 0.0, seen).sum() == 1


def outputs(disparity: np.ndarray, certainty: np.ndarray) -> dict[str, np.ndarray]:
    return {"disparity": disparity[None, None], "certainty": certainty[None, None]}


def test_decode_crops_scales_and_enlarges() -> None:
    plan = InputPlan((32, 16), (32, 32))
    matches = decode_stereo(outputs(field(5, (32, 32)), field(0.5, (32, 32))), plan, (64, 32))
    assert matches.disparity_px is not None and matches.disparity_px.shape == (32, 64)
    assert np.allclose(matches.disparity_px, 10) and np.allclose(matches.certainty, 0.5)


def test_outputs_at_half_resolution_are_in_px_of_the_input() -> None:
    slope = np.tile(np.arange(16, dtype=np.float32), (16, 1))  # 1 px per value, half a px per px of the input
    slope[:, 12:] += 40
    matches = decode_stereo(outputs(slope, field(0.5, (16, 16))), InputPlan((30, 20), (32, 32)), (30, 20))
    assert matches.disparity_px is not None and matches.disparity_px.shape == (20, 30)
    assert np.allclose(matches.disparity_px[10, 2:20], (np.arange(2, 20) - 0.5) / 2)
    assert not ((matches.disparity_px > 13) & (matches.disparity_px < 50)).any(), "nothing between near and far"


def test_each_output_has_a_resolution_of_its_own() -> None:
    disparity, certainty = field(7, (16, 16)), field(0.5, (8, 8))
    disparity[3, 4] = np.nan
    matches = decode_stereo(outputs(disparity, certainty), InputPlan((32, 32), (32, 32)), (32, 32))
    assert matches.disparity_px is not None and matches.certainty.shape == matches.disparity_px.shape == (32, 32)
    assert (matches.certainty[6:8, 8:10] == 0).all() and np.allclose(matches.certainty[12:], 0.5)
    assert np.allclose(matches.disparity_px[12:], 7)


def test_decode_marks_broken_numbers_as_worthless() -> None:
    disparity, certainty = field(5, (32, 32)), field(0.9, (32, 32))
    disparity[3, 4], certainty[5, 6], disparity[7, 8] = np.nan, np.inf, -2
    matches = decode_stereo(outputs(disparity, certainty), InputPlan((32, 32), (32, 32)), (32, 32))
    assert matches.disparity_px is not None and np.isfinite(matches.disparity_px).all()
    assert matches.certainty[3, 4] == 0 and matches.certainty[5, 6] == 0
    assert matches.disparity_px[7, 8] == 0
    assert np.isnan(disparity[3, 4]), "the engine's buffer is not ours to change"


def test_enlarging_invents_no_depth_between_near_and_far() -> None:
    step = field(10, (16, 16))
    step[:, 8:] = 40
    large = resize_disparity(step, (56, 48))
    values = np.unique(large.round(3))
    assert set(values.tolist()) == {35.0, 140.0}


def test_enlarging_is_smooth_on_a_slope() -> None:
    slope = np.tile(np.arange(16, dtype=np.float32) * 0.5, (16, 1))
    large = resize_disparity(slope, (64, 64))
    assert np.abs(np.diff(large[32, 4:-4]) - 0.5).max() < 1e-4


def test_warp_points_left() -> None:
    warp = Matches(field(1), field(3)).warp
    assert warp.shape == (4, 8, 2)
    assert warp[2, 5].tolist() == [2, 2]
