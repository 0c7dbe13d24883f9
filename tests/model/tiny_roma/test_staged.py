"""TinyRoMa as several graphs, with the host between them, beside the one graph that has grid_sample."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
onnx = pytest.importorskip("onnx", reason="onnx is not installed: export needs it")

from model.tiny_roma.config import TinyRomaConfig  # noqa: E402
from model.tiny_roma.export import write_staged_bundle  # noqa: E402
from model.tiny_roma.network import TinyRoma  # noqa: E402
from roma_device.calibration.arrays import Size  # noqa: E402
from roma_device.runtime.card import ModelCard, ModelError, load_card  # noqa: E402
from roma_device.runtime.cascade.right_features import fetch  # noqa: E402
from roma_device.runtime.cascade.steps import check_stages  # noqa: E402
from roma_device.runtime.engine import EngineOptions, engine_facts, open_engine  # noqa: E402
from roma_device.runtime.matching_network import MatchingNetwork, NetworkOptions  # noqa: E402
from roma_device.runtime.tensors.preprocess import FLOAT_MAPS_ARE_FAST  # noqa: E402
from tests.model.tiny_networks import SIZE, lively  # noqa: E402

Bundles = Callable[[str], tuple[TinyRoma, ModelCard]]
SOME = (
    "tiny_roma",
    "tiny_coarse",
    "tiny_twice",
    "tiny_learned",
    "tiny_row4_split",
    "tiny_row4_half",
    "tiny_preprocess",
)
"""One for each choice that the stages see."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder = tmp_path_factory.mktemp("staged")

    def made(variant: str) -> tuple[TinyRoma, ModelCard]:
        network = lively(TinyRomaConfig.load(variant))
        write_staged_bundle(network, SIZE, folder / variant, trained_on="nothing")
        return network, load_card(folder / variant)

    return cache(made)


def noise(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).random((1, 1, SIZE[1], SIZE[0]), np.float32)


# OpenCV does not run batch norm in training mode, which the others normalize with
OPENCV = [(variant, "opencv") for variant in SOME if TinyRomaConfig.load(variant).normalization != "batch"]


@pytest.mark.parametrize(("variant", "engine"), [*OPENCV, *((variant, "onnx") for variant in SOME)])
def test_the_stages_find_what_the_one_graph_finds(variant: str, engine: str, bundle: Bundles) -> None:
    if engine == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    network, card = bundle(variant)
    loaded = open_engine(card, engine, EngineOptions(Size(*SIZE), 1))
    loaded.inputs["left"][...], loaded.inputs["right"][...] = noise(1), noise(2)
    loaded.run()
    with torch.no_grad():
        warp, certainty = (one.numpy() for one in network(torch.from_numpy(noise(1)), torch.from_numpy(noise(2))))
    assert float(warp.std()) > 0.05, "weights for which any graph gives the same prove nothing"
    assert int(engine_facts(loaded)["graphs"]) == 1 + network.config.passes + (network.config.fine != "none")
    off = [float(np.abs(loaded.outputs[name] - one).max()) for name, one in (("warp", warp), ("certainty", certainty))]
    loaded.close()
    # OpenCV 4 fetches from the nearest of 32 places in a cell
    assert max(off) < (1e-3 if FLOAT_MAPS_ARE_FAST else 0.5), off


@pytest.mark.parametrize("variant", ["tiny_roma", "tiny_coarse"])
def test_no_graph_samples_a_grid(variant: str, bundle: Bundles) -> None:
    for graph in bundle(variant)[1].graphs:
        operators = {node.op_type for node in onnx.load_from_string(graph.files["onnx"].read()).graph.node}
        assert "GridSample" not in operators, graph.name


def test_the_program_matches_with_it(bundle: Bundles) -> None:
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, SIZE[::-1], np.uint8), (5, 5), 2)
    with MatchingNetwork(bundle("tiny_roma")[1], Size(*SIZE), NetworkOptions("opencv", threads=1)) as network:
        found = network.match(image, image)
    assert found.warp.shape == (*SIZE[::-1], 2) and np.isfinite(found.warp).all() and found.makes_sense


def test_its_first_graph_alone_is_refused(bundle: Bundles) -> None:
    with pytest.raises(ModelError, match="the first graph alone finds no matches; --passes takes 1 or more") as caught:
        bundle("tiny_roma")[1].first_alone()
    assert caught.value.exit_code == os.EX_USAGE


def test_stages_that_do_not_fit_are_refused(bundle: Bundles) -> None:
    card = bundle("tiny_roma")[1]
    first, coarse, fine = card.stages
    with pytest.raises(ModelError, match="between features and fine left and warped must have the shape of the first"):
        check_stages(replace(card, stages=(first, replace(fine, inputs=coarse.inputs))))
    with pytest.raises(ModelError, match="between coarse and fine the host fetches features at the warp so far"):
        check_stages(replace(card, stages=(first, coarse, replace(fine, inputs=fine.inputs[:2]))))


def test_features_are_fetched_as_grid_sample_fetches_them() -> None:
    rng = np.random.default_rng(3)
    features = cv2.GaussianBlur(rng.normal(size=(12, 20, 5)).astype(np.float32), (3, 3), 1).transpose(2, 0, 1).copy()
    places = rng.uniform(-1.4, 1.4, (2, 7, 9)).astype(np.float32)
    grid = torch.from_numpy(np.moveaxis(places, 0, -1).copy())[None]
    expected = torch.nn.functional.grid_sample(torch.from_numpy(features)[None], grid, align_corners=False)[0].numpy()
    out = np.empty((5, 7, 9), np.float32)
    fetch(features, *places, out)
    assert np.abs(out - expected).max() < (1e-5 if FLOAT_MAPS_ARE_FAST else 0.05)
    places[:, 3, 4] = np.nan, np.inf
    fetch(features, *places, out)
    assert (out[:, 3, 4] == 0).all(), "what is no place has no features"
