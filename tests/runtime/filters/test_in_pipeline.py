"""Filters in the pipeline: raw is what the network gave, presets change what counts, reloads apply."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from roma_device.app.cameras import open_camera
from roma_device.app.model_store import find_model
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.depth import make_depth, valid_matches
from roma_device.runtime.filters.options import DepthOptions
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.pipeline import StereoPipeline
from roma_device.runtime.types import StereoFrame


@pytest.fixture(scope="module")
def rig() -> tuple[StereoFrame, Rectification]:
    camera = open_camera("simulated:boxes?size=384x256")
    assert camera.calibration is not None
    return next(islice(camera.frames(), 1)), Rectification.from_calibration(camera.calibration)


@pytest.mark.parametrize("width", [192, 384])
def test_raw_is_bit_equal_and_the_others_are_made_of_it(rig: tuple[StereoFrame, Rectification], width: int) -> None:
    """Also where the network sees less than the camera, and filters run on its grid."""
    frame, rectification = rig
    card = find_model("stereo")
    with StereoPipeline(card, rectification, NetworkOptions(threads=1, input_width=width)) as pipeline:
        raw = pipeline.process(frame)
        left, right = frame.left.image, frame.right.image
        matches = pipeline.network.match(left, right)
        valid = valid_matches(matches, card.min_confidence, pipeline._in_view)
        expected = make_depth(matches, valid, pipeline.rig, DepthOptions(), 0)
        assert raw.depth is not None and "filters" not in raw.times.stages_ms
        assert np.array_equal(raw.depth.depth_m, expected.depth_m, equal_nan=True)
        pipeline.set_limits(DepthOptions(preset="obstacles"))
        cleaned = pipeline.process(frame)
        pipeline.set_limits(DepthOptions(region=(0.0, 0.0, 0.5, 1.0)))
        half = pipeline.process(frame)
        pipeline.set_limits(DepthOptions())
        again = pipeline.process(frame)
    assert cleaned.depth is not None and half.depth is not None and again.depth is not None
    assert "filters" in cleaned.times.stages_ms
    both = np.isfinite(cleaned.depth.depth_m)
    assert 0.8 * raw.depth.valid_ratio < both.mean() < raw.depth.valid_ratio
    assert np.allclose(cleaned.depth.depth_m[both & raw.valid], raw.depth.depth_m[both & raw.valid], rtol=1e-5)
    assert not half.valid[:, 192:].any() and half.valid[:, :192].any()
    assert np.array_equal(again.depth.depth_m, raw.depth.depth_m, equal_nan=True)
