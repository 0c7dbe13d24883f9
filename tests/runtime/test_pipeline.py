"""The whole way of a frame, in closed loop on the simulated rig whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from roma_device.app.cameras import open_camera
from roma_device.app.run.summary import relative_errors
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.runtime.card import ModelCard
from roma_device.runtime.filters.options import DepthOptions
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.pipeline import StereoPipeline
from roma_device.runtime.types import Frame, StereoFrame


@pytest.mark.parametrize("spec", ["simulated:room?frames=3", "simulated:boxes?frames=3&seed=7"])
def test_depth_of_the_simulated_rig_is_right(stereo_card: ModelCard, spec: str) -> None:
    """Median error at most 5 % within 0.5-5 m, through distortion, rectification and noise."""
    with open_camera(spec) as camera:
        assert camera.calibration is not None
        rectification = Rectification.from_calibration(camera.calibration)
        with StereoPipeline(stereo_card, rectification, NetworkOptions(threads=1, keeps_rectified=True)) as pipeline:
            for frame in camera.frames():
                result = pipeline.process(frame)
                assert result.depth is not None and frame.truth is not None and frame.truth.depth_m is not None
                errors = relative_errors(result.depth, frame.truth.depth_m)
                assert errors.size > 0.3 * result.valid.size
                assert np.median(errors) < 0.05
                seen, exact = result.images.grey_rows(2)[1], result.images.grey[1][::2]
                assert np.median(np.abs(seen.astype(int) - exact)) <= 1


def blank(size: tuple[int, int]) -> StereoFrame:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    return StereoFrame(Frame(image, 5, 0), Frame(image, 5, 0))


def rectified(size: tuple[int, int], focal_px: float | None = None, baseline_m: float | None = None) -> Rectification:
    return Rectification.identity(RectifiedRig(size, focal_px, baseline_m, size[0] / 2, size[1] / 2))


def test_no_depth_without_focal_length_and_baseline(stereo_card: ModelCard) -> None:
    with StereoPipeline(stereo_card, rectified((200, 100), 100.0), NetworkOptions()) as pipeline:
        assert pipeline.process(blank((200, 100))).depth is None


def test_outputs_have_the_cameras_resolution(stereo_card: ModelCard) -> None:
    with StereoPipeline(stereo_card, rectified((333, 177), 100.0, 0.1), NetworkOptions()) as pipeline:
        result = pipeline.process(blank((333, 177)), index=4)
    assert result.matches.disparity_px is not None and result.depth is not None
    assert result.matches.disparity_px.shape == result.depth.depth_m.shape == result.valid.shape == (177, 333)
    assert result.index == 4 and result.depth.timestamp_ns == 5
    assert list(result.times.stages_ms) == ["preprocess", "engine", "decode", "depth"]


def test_darkness_is_not_certain(stereo_card: ModelCard) -> None:
    """Nothing can be matched in two black images: the certainty says so."""
    with StereoPipeline(stereo_card, rectified((320, 160)), NetworkOptions()) as pipeline:
        dark = pipeline.process(blank((320, 160))).matches.certainty
    assert dark.mean() < 0.7


@pytest.mark.slow
def test_threshold_makes_holes(stereo_card: ModelCard) -> None:
    with open_camera("simulated:room?frames=1") as camera:
        assert camera.calibration is not None
        rectification = Rectification.from_calibration(camera.calibration)
        (frame,) = camera.frames()
    shares = []
    for threshold in (0.0, 0.5, 0.99):
        limits = DepthOptions(min_confidence=threshold)
        with StereoPipeline(stereo_card, rectification, limits=limits) as pipeline:
            shares.append(pipeline.process(frame).valid.mean())
    assert shares[0] > shares[1] > shares[2]
