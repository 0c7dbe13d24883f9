"""Every variant file as a network, as a bundle and in the program."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")

from model.tiny_roma.config import TinyRomaConfig, names  # noqa: E402
from model.tiny_roma.export import load_network  # noqa: E402
from model.tiny_roma.network import TinyRoma  # noqa: E402
from roma_device.runtime.card import ModelCard, ModelError  # noqa: E402
from roma_device.runtime.engine import EngineError, EngineOptions, open_engine  # noqa: E402
from tests.model.tiny_networks import SIZE, random_bundle  # noqa: E402

PRIOR = [f"A{i}" for i in range(1, 9)] + [f"C{i}" for i in range(1, 18)]
"""The rows of the earlier measurements."""


def test_every_earlier_row_has_its_variant() -> None:
    assert sorted(row for name in names() for row in TinyRomaConfig.load(name).prior) == sorted(PRIOR)


def test_the_released_model_has_its_size() -> None:
    network = TinyRoma(TinyRomaConfig.load("tiny_roma"))
    assert sum(p.numel() for p in network.parameters()) == 2_842_490
    assert sum(p.numel() for p in network.backbone.parameters()) == 633_140


Bundles = Callable[[str], tuple[TinyRoma, ModelCard]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Each variant exported once."""
    folder = tmp_path_factory.mktemp("bundles")
    return cache(lambda variant: random_bundle(variant, folder / variant))


def noise(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).random((1, 1, SIZE[1], SIZE[0]), np.float32)


def differences(network: TinyRoma, card: ModelCard, engine: str) -> list[float]:
    loaded = open_engine(card, engine, EngineOptions(SIZE, 1))
    loaded.inputs["left"][...], loaded.inputs["right"][...] = noise(1), noise(2)
    loaded.run()
    with torch.no_grad():
        warp, certainty = network(torch.from_numpy(noise(1)), torch.from_numpy(noise(2)))
    assert float(warp.std()) > 0.05, "weights for which any graph gives the same prove nothing"
    pairs = ((loaded.outputs["warp"], warp), (loaded.outputs["certainty"], certainty))
    return [float(np.abs(got - expected.numpy()).max()) for got, expected in pairs]


@pytest.mark.parametrize("variant", names())
def test_engines_equal_torch(variant: str, bundle: Bundles) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    network, card = bundle(variant)
    assert max(differences(network, card, "onnx")) < 1e-3
    if cv2.__version__.startswith("4."):
        pytest.skip("OpenCV 4 has no GridSample")
    if network.config.normalization == "batch":
        with pytest.raises(EngineError, match=r"OpenCV .*cannot (load|run) model"):
            differences(network, card, "opencv")
    else:
        assert max(differences(network, card, "opencv")) < 1e-3


@pytest.mark.parametrize("variant", ["tiny_roma", "tiny_row4_split"])
def test_card_says_what_the_network_does(variant: str, bundle: Bundles) -> None:
    network, card = bundle(variant)
    assert card.task == ("stereo" if network.config.stereo else "two_view")
    assert card.fixed_size() == SIZE and card.outputs[0].stride == network.config.stride
    assert card.normalization == "in_graph"


def test_page_lists_every_variant_once() -> None:
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `tiny_")] == names()


def test_export_refuses_what_is_neither_checkpoint_nor_variant() -> None:
    with pytest.raises(ModelError, match="'nothing' is neither a checkpoint nor a variant; known: tiny_band0, "):
        load_network("nothing")


def test_unknown_variant_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match="unknown variant 'stereo' of TinyRoMa; known: tiny_band0, "):
        TinyRomaConfig.load("stereo")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"normalisation": "batch"}, "normalisation is not a key"),
        ({"normalization": "group"}, "normalization is 'group': it must be one of instance, batch"),
        ({"passes": "two"}, "passes is 'two': it must be a count"),
        ({"stem_widths": 4}, "stem_widths is 4: it must be a list"),
        ({"passes": 0}, "passes must be at least 1"),
        ({"correlation": "row", "position": "released"}, "position released exists for correlation full alone"),
        ({"band_rows": 2}, "need correlation band"),
        ({"correlation": "band", "band_columns": [8, 0]}, "band_columns takes the least and the greatest"),
    ],
)
def test_bad_choices_are_one_sentence(raw: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        TinyRomaConfig.from_mapping(raw)


@pytest.mark.parametrize("variant", names())
def test_run_gives_matches_on_a_real_pair(variant: str, bundle: Bundles, tmp_path: Path, shared_data: Path) -> None:
    from roma_device.app.run.command import run_from_settings
    from roma_device.app.settings.settings import Settings

    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pair = shared_data / "stereo" / "middlebury_2001_2003"
    left, right = sorted(pair.rglob("*im2.*"))[0], sorted(pair.rglob("*im6.*"))[0]
    card = bundle(variant)[1]
    settings = Settings().overridden(
        model=str(card.files["onnx"].path.parent),
        engine="onnx",
        camera=f"images:{left},{right}",
        rectified=True,
        threads=1,
        **{"output.folder": tmp_path / "out", "output.save": ("results", "confidence")},
    )
    assert run_from_settings(settings, lambda: settings, as_json=False) == os.EX_OK
    assert len(list((tmp_path / "out").iterdir())) == 3
