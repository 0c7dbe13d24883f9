"""The last graph's certainty is bounded by the first one's doubt."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from roma_device.app.cameras import open_camera
from roma_device.app.model_store import find_model
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.cascade.doubt import SURE, FirstDoubt
from roma_device.runtime.engine import EngineOptions, open_engine
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.pipeline import StereoPipeline


def doubted(first: float, last: float) -> float:
    outputs = {"certainty": np.zeros((1, 1, 6, 8), np.float32)}
    doubt, kept = FirstDoubt(outputs), np.full((1, 1, 3, 2), first, np.float32)
    doubt.remember({"certainty": kept})
    kept[...] = 1  # the buffer is written again while the later graphs run
    outputs["certainty"][...] = last
    doubt.apply()
    assert (outputs["certainty"] == np.float32(last)).all() or np.isnan(last)
    assert len(np.unique(doubt.certainty)) == 1 and doubt.certainty.shape == (1, 1, 6, 8)
    return float(doubt.certainty[0, 0, 0, 0])


def test_what_the_first_is_sure_of_stays_as_the_last_has_it() -> None:
    assert doubted(1.0, 0.9) == pytest.approx(0.9) and doubted(SURE, 0.4) == pytest.approx(0.4)


def test_what_the_first_doubts_is_scaled_down() -> None:
    assert doubted(SURE / 2, 0.9) == pytest.approx(0.45) and doubted(0.0, 0.9) == 0


def test_what_is_no_number_stays_none() -> None:
    assert np.isnan(doubted(np.nan, 0.9)) and np.isnan(doubted(0.9, np.nan))


def test_an_engine_gives_less_certainty_than_its_last_graph() -> None:
    size, rng = (192, 96), np.random.default_rng(0)
    engine = open_engine(find_model("stereo"), "opencv", EngineOptions(size, threads=1))
    for array in engine.inputs.values():
        array[...] = rng.normal(0, 1, array.shape)  # images that have nothing in common
    engine.run()
    certainty, of_last = engine.outputs["certainty"], engine.graphs[-1].outputs["certainty"]  # type: ignore[attr-defined]
    assert (certainty <= of_last).all() and (certainty < of_last - 0.01).any()
    engine.close()


def test_bars_that_repeat_are_not_called_near() -> None:
    """By the last graph's certainty alone 50 of 1,000 valid pixels are nearer than 0.8 of the truth."""
    camera = open_camera("simulated:repeats")
    assert camera.calibration is not None
    rectification = Rectification.from_calibration(camera.calibration)
    near = valid = 0
    with StereoPipeline(find_model("stereo"), rectification, NetworkOptions(threads=1)) as pipeline:
        for index, frame in enumerate(islice(camera.frames(), 0, 40, 20)):
            result = pipeline.process(frame, index)
            assert result.depth is not None and frame.truth is not None
            known = result.known & np.isfinite(frame.truth.depth_m)
            near += int((known & (result.depth.depth_m < 0.8 * frame.truth.depth_m)).sum())
            valid += int(known.sum())
    assert near < 0.02 * valid
