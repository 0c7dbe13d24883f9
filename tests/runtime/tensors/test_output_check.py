"""Nonsense from an engine: one frame gives no depth, some in a row are a fault that names the likely cause."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from roma_device.app.model_store import find_model
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard, ModelError
from roma_device.runtime.engine import Engine, EngineError
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions
from roma_device.runtime.tensors.output_check import (
    FAULT_AFTER,
    FLAT,
    NO_NUMBERS,
    OLD,
    SCALE,
    OutputCheck,
    sample_inputs,
)

WIDTH, HEIGHT = 64, 32
Outputs = dict[str, npt.NDArray[np.float32]]


def images(number: int) -> Outputs:
    values = np.random.default_rng(number).random((2, 1, 1, HEIGHT, WIDTH), np.float32)
    return {"left": values[0], "right": values[1]}


def good(number: int) -> Outputs:
    values = np.random.default_rng(number).random((2, 1, 1, HEIGHT, WIDTH), np.float32)
    return {"disparity": 20 * values[0], "certainty": values[1]}


def codes(number: int) -> Outputs:
    return {name: np.round(255 * values) for name, values in good(number).items()}


def far_off(number: int) -> Outputs:
    return good(number) | {"disparity": 100 * good(number)["disparity"]}


def flat(number: int) -> Outputs:
    return {name: np.full_like(values, 0.5) for name, values in good(number).items()}


def old(number: int) -> Outputs:
    return good(0)


def one_output_old(number: int) -> Outputs:
    return good(number) | {"certainty": good(0)["certainty"]}


def one_output_never_written(number: int) -> Outputs:
    return good(number) | {"disparity": np.zeros_like(good(0)["disparity"])}


def whole_numbers(number: int) -> Outputs:
    """Codes of 8 bits of the disparity alone, all of which might be pixels."""
    return good(number) | {"disparity": np.rint(good(number)["disparity"] * 12)}


def infinite(number: int) -> Outputs:
    return good(number) | {"disparity": np.full_like(good(0)["disparity"], np.inf)}


@pytest.mark.parametrize(
    ("spoiled", "cause"),
    [
        (codes, SCALE),
        (far_off, SCALE),
        (whole_numbers, SCALE),
        (flat, FLAT),
        (one_output_never_written, FLAT),
        (old, OLD),
        (one_output_old, OLD),
        (infinite, NO_NUMBERS),
    ],
)
def test_nonsense_is_a_fault_after_some_frames(spoiled: object, cause: str) -> None:
    check = OutputCheck(True, WIDTH)
    assert check.makes_sense(sample_inputs(images(100)), good(0))
    for number in range(1, FAULT_AFTER):
        assert not check.makes_sense(sample_inputs(images(number)), spoiled(number))  # type: ignore[operator]
    with pytest.raises(EngineError) as caught:
        check.makes_sense(sample_inputs(images(99)), spoiled(99))  # type: ignore[operator]
    assert cause in str(caught.value) and "\n" not in str(caught.value)


def test_a_good_frame_in_between_ends_the_count() -> None:
    check = OutputCheck(True, WIDTH)
    for number in range(20):
        outputs = good(number) if number % FAULT_AFTER == 0 else codes(number)
        assert check.makes_sense(sample_inputs(images(number)), outputs) == (number % FAULT_AFTER == 0)


def test_the_same_picture_may_have_the_same_result_and_a_covered_camera_a_flat_one() -> None:
    check = OutputCheck(True, WIDTH)
    for _ in range(2 * FAULT_AFTER):
        assert check.makes_sense(sample_inputs(images(0)), good(0))
    dark = {name: np.full_like(values, 0.1) for name, values in images(0).items()}
    for number in range(2 * FAULT_AFTER):
        assert check.makes_sense(sample_inputs({"left": dark["left"] + number, "right": dark["right"]}), flat(0))


def test_rounding_and_what_is_not_finite_are_no_nonsense() -> None:
    outputs = good(0)
    outputs["certainty"][0, 0, 0, :3] = (1.004, -0.004, np.nan)
    outputs["disparity"][0, 0, 0, :3] = (np.inf, -0.5, 4000)
    assert OutputCheck(True, WIDTH).makes_sense(sample_inputs(images(0)), outputs)


def test_two_views_give_logits_and_a_warp() -> None:
    check = OutputCheck(False, WIDTH)
    values = np.random.default_rng(0).normal(0, 1, (1, 3, HEIGHT, WIDTH)).astype(np.float32)
    values[:, 2] *= 30
    assert check.makes_sense(sample_inputs(images(0)), {"warp": values[:, :2], "certainty": values[:, 2:]})


def test_codes_of_a_warp_are_seen() -> None:
    check = OutputCheck(False, WIDTH)
    values = np.random.default_rng(0).integers(0, 65535, (1, 3, HEIGHT, WIDTH)).astype(np.float32)
    assert not check.makes_sense(sample_inputs(images(0)), {"warp": values[:, :2], "certainty": values[:, 2:]})


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_outputs_without_a_scale_are_refused(stereo_card: ModelCard, dtype: str) -> None:
    card = stereo_card
    disparity = replace(card.outputs[0], dtype=dtype)
    with pytest.raises(ModelError, match=f"disparity is {dtype}, codes without a scale"):
        MatchingNetwork(replace(card, outputs=(disparity, card.outputs[1])), Size(64, 32))


class OldResults:
    """An engine that computes once and gives that result for ever."""

    def __init__(self, engine: Engine) -> None:
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self._engine, self._ran = engine, False

    def run(self) -> None:
        if not self._ran:
            self._engine.run()
        self._ran = True

    def close(self) -> None:
        self._engine.close()


class Codes(OldResults):
    """An engine whose results are a thousand times too large, as codes without their scale are."""

    def run(self) -> None:
        self._engine.run()
        for name, array in self.outputs.items():
            array *= 1 if name == "certainty" else 1000


@pytest.mark.parametrize("passes", [0, 1])
def test_codes_of_a_disparity_are_seen_after_either_stage(passes: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (2, 64, 64), np.uint8)
    options = NetworkOptions(engine="opencv", passes=passes)
    with MatchingNetwork(find_model("stereo"), Size(64, 64), options) as network:
        network.engine = Codes(network.engine)
        assert not network.match(*pictures).makes_sense


def test_a_network_that_gives_old_results_gives_no_depth_and_then_ends() -> None:
    card, size = find_model("stereo"), Size(64, 64)
    pictures = np.random.default_rng(0).integers(0, 255, (10, 64, 64), np.uint8)
    with MatchingNetwork(card, size, NetworkOptions(engine="opencv")) as network:
        network.engine = OldResults(network.engine)
        assert network.match(pictures[0], pictures[1]).makes_sense
        for index in range(1, FAULT_AFTER):
            matches = network.match(pictures[index], pictures[index + 1])
            assert not matches.makes_sense and not matches.certainty.any()
        with pytest.raises(EngineError, match=r"5 results in a row make no sense: .*cache is not invalidated"):
            network.match(pictures[8], pictures[9])
