"""A model of two graphs: card, engine and matches are those of a model of one."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from roma_device.app.model_store import find_model
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard, ModelError, load_card
from roma_device.runtime.cascade.found import Found
from roma_device.runtime.cascade.steps import check_stages
from roma_device.runtime.cascade.warp import WarpRight
from roma_device.runtime.engine import EngineOptions, engine_facts, engine_name, open_engine
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions

SIZE = Size(192, 96)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return find_model("stereo-large")


def pair(shift_px: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (SIZE.height, SIZE.width + shift_px), np.uint8)
    return texture[:, : SIZE.width].copy(), texture[:, shift_px:].copy()


def test_card_lists_the_graphs_and_speaks_of_the_whole(card: ModelCard) -> None:
    assert [stage.host for stage in card.stages] == [None, "warp_right"] and card.passes(None) > 1
    assert [spec.name for spec in card.inputs] == ["left", "right"]
    assert [spec.name for spec in card.outputs] == ["parts", "certainty"]
    first, second = card.graphs
    assert not first.stages and second.name == "stereo-large/refinement" and first.inputs == card.inputs
    shapes = {spec.name: spec.shape_at(Size(640, 320)) for spec in (*second.inputs, *second.outputs)}
    assert shapes["disparity"] == (1, 2, 80, 320) and shapes["parts"] == (1, 8, 80, 320)
    assert set(card.every_file) >= {"matching onnx", "refinement onnx"}


def test_a_card_of_one_graph_has_itself_as_its_list(stereo_card: ModelCard) -> None:
    assert stereo_card.graphs == (stereo_card,) and stereo_card.passes(None) == 0
    with pytest.raises(ModelError, match="model stereo has one stage: --passes is for those with two") as caught:
        stereo_card.passes(2)
    assert caught.value.exit_code == os.EX_USAGE


def test_an_engine_runs_all_graphs_as_often_as_asked(card: ModelCard) -> None:
    for passes, runs in ((None, 1 + card.passes(None)), (1, 2)):
        engine = open_engine(card, "opencv", EngineOptions(SIZE, threads=1, passes=passes))
        assert engine_name(engine) == "opencv" and engine_facts(engine)["graphs"] == str(runs)
        assert set(engine.inputs) == {"left", "right"} and set(engine.outputs) == {"parts", "certainty"}
        engine.close()
        engine.close()


def test_matches_are_those_of_one_network(card: ModelCard) -> None:
    with MatchingNetwork(card, SIZE, NetworkOptions("opencv", threads=1, input_width=SIZE.width)) as network:
        matches = network.match(*pair(shift_px=14))
    disparity = matches.disparity_px
    assert disparity is not None and disparity.shape == SIZE[::-1] and (disparity >= 0).all()
    assert np.abs(disparity[8:-8, 40:-8] - 14).mean() < 0.3 and matches.certainty[8:-8, 40:-8].mean() > 0.5


def test_what_is_no_number_stays_none_and_leads_nowhere(card: ModelCard) -> None:
    disparity, image = np.full(SIZE[::-1], 9, np.float32), np.ones(SIZE[::-1], np.float32)
    disparity[41, 60] = np.nan
    filled = {spec.name: np.zeros(spec.shape_at(SIZE), np.float32) for spec in card.graphs[1].inputs}
    WarpRight(SIZE)(image, disparity, image[::4, ::4], filled)
    assert np.isnan(filled["disparity"][0, 0, 10, 30]) and (filled["warped"] == 1).all()


@pytest.mark.parametrize("stride", [1, 2, 8])
def test_between_stages_the_first_result_comes_to_full_size(stride: int) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    values = np.random.default_rng(0).normal(20, 3, (96 // stride, 192 // stride)).astype(np.float32)
    found = Found(SIZE)
    found.read({"disparity": values[None, None], "certainty": values[None, None]})
    tensor = torch.from_numpy(values)[None, None]
    smooth, nearest = (
        torch.nn.functional.interpolate(tensor, scale_factor=stride, mode=mode, align_corners=corners)
        for mode, corners in (("bilinear", False), ("nearest", None))
    )
    expected = nearest + (smooth - nearest).clamp(-0.5, 0.5)
    assert np.abs(found.disparity_px - expected[0, 0].numpy()).max() < 1e-4


def changed(card: ModelCard, folder: Path, **changes: object) -> Path:
    """A copy of the bundle with another second stage."""
    bundle = Path(shutil.copytree(card.files["onnx"].path.parent, folder / "mine"))
    fields = yaml.safe_load((bundle / "card.yaml").read_text())
    fields["stages"][1].update(changes)
    (bundle / "card.yaml").write_text(yaml.safe_dump(fields))
    return bundle


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": "rotate"}, r"stages\[1\].host is 'rotate': it must be one of warp_right"),
        ({"passes": 0}, r"stages\[1\].passes is '0'"),
        ({"colour": "red"}, r"stages\[1\].colour is not a key"),
        (
            {"outputs": [{"name": "parts", "shape": [1, 8, -1, -1], "dtype": "float32", "stride": [3, 2]}]},
            "stride must hold two of 1, 2, 4, 8, 16",
        ),
    ],
)
def test_mistakes_in_a_stage_name_it(card: ModelCard, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_card(changed(card, tmp_path, **changes))


def test_stages_that_the_host_cannot_join_are_refused(card: ModelCard) -> None:
    first, second = card.stages
    foreign = dataclasses.replace(second, inputs=second.inputs[:2])
    with pytest.raises(ModelError, match="between matching and refinement the host warps the right image"):
        check_stages(dataclasses.replace(card, stages=(first, foreign)))
    half = dataclasses.replace(
        second, inputs=(dataclasses.replace(second.inputs[0], dtype="uint8"), *second.inputs[1:])
    )
    with pytest.raises(ModelError, match="left must be float32 in NCHW"):
        check_stages(dataclasses.replace(card, stages=(first, half)))


def test_precision_is_chosen_for_the_bundle_and_not_for_a_stage(card: ModelCard) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    first, second = card.stages
    lacking = dataclasses.replace(second, files={"onnx": second.files["onnx"]})
    mixed = dataclasses.replace(card, stages=(first, lacking))
    engine = open_engine(mixed, "onnx", EngineOptions(SIZE, threads=1))
    assert engine_facts(engine)["precision"] == "fp32"
    engine.close()
