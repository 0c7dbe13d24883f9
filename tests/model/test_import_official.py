from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")

from model.import_official import import_weights, load_into, main, renamed  # noqa: E402
from model.tiny_roma.config import TinyRomaConfig  # noqa: E402
from model.tiny_roma.network import TinyRoma  # noqa: E402
from roma_device.runtime.card import ModelError, load_card  # noqa: E402
from roma_device.runtime.engine import EngineOptions, open_engine  # noqa: E402
from tests.model.tiny_roma.numpy_tiny_roma import forward, random_state  # noqa: E402
from tests.model.tool_failure import exit_code  # noqa: E402

SIZE = (128, 64)
State = dict[str, "torch.Tensor"]


def published(seed: int = 0) -> State:
    return {name: torch.from_numpy(value) for name, value in random_state(seed).items()}


def xfeat_alone() -> State:
    """Its names have no prefix, and it has heads and a fine matcher of its own."""
    state = {name.removeprefix("xfeat.0."): value for name, value in published().items() if name.startswith("xfeat")}
    heads = {"heatmap_head.0.layer.0.weight": torch.zeros(64, 64, 1, 1), "fine_matcher.0.weight": torch.zeros(512, 128)}
    return state | heads


def imported(state: object, folder: Path, variant: str = "tiny_roma") -> str:
    torch.save(state, folder / "weights.pth")
    return import_weights(folder / "weights.pth", variant, SIZE, folder / "bundle")


@pytest.mark.parametrize(("variant", "released"), [("tiny_roma", True), ("tiny_exact", False), ("tiny_gather", True)])
def test_imported_weights_compute_what_the_paper_says(variant: str, released: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    imported(published(), tmp_path, variant)
    engine = open_engine(load_card(tmp_path / "bundle"), "onnx", EngineOptions(SIZE, 1))
    greys = np.random.default_rng(5).random((2, SIZE[1], SIZE[0])).astype(np.float32)
    engine.inputs["left"][0, 0], engine.inputs["right"][0, 0] = greys
    engine.run()
    position, logit = forward(*greys.astype(np.float64), random_state(), released)
    assert np.std(position) > 0.1 and np.std(logit) > 0.1
    assert np.abs(engine.outputs["warp"][0] - position).max() < 1e-4
    assert np.abs(engine.outputs["certainty"][0, 0] - logit).max() < 1e-3


def test_the_sentence_names_file_and_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(published(), tmp_path / "weights.pth")
    words = [str(tmp_path / "weights.pth"), "--output", str(tmp_path / "bundle"), "--size", "64", "32"]
    main([*words, "--variant", "tiny_coarse"])
    said = capsys.readouterr().out
    assert "weights.pth, sha256 " in said and "random" not in said
    assert load_card(tmp_path / "bundle").trained_on in said


def test_backbone_alone_leaves_random_matchers_and_says_so(tmp_path: Path) -> None:
    assert "random, not in the file: coarse_matcher, fine_matcher" in imported(xfeat_alone(), tmp_path)


@pytest.mark.parametrize("variant", ["tiny_learned_exact", "tiny_fine"])
def test_learned_enlargement_starts_as_theirs(variant: str, tmp_path: Path) -> None:
    """By numbers, in the whole image: without a repeated border features fade there, and the softmax spreads it."""
    assert "random" not in imported(published(), tmp_path, variant)
    plain = {"normalization": TinyRomaConfig.load(variant).normalization, "fine": TinyRomaConfig.load(variant).fine}
    networks = [TinyRoma(TinyRomaConfig.load(variant)).eval(), TinyRoma(TinyRomaConfig(**plain)).eval()]
    pair = torch.rand(2, 1, 1, SIZE[1], SIZE[0])
    for network in networks:
        load_into(network, renamed(published(), tmp_path), tmp_path)
    with torch.inference_mode():
        (position, logit), (expected, expected_logit) = (network(*pair) for network in networks)
    assert (position - expected).abs().max() < 1e-4 and (logit - expected_logit).abs().max() < 5e-3


def test_matchers_of_a_frozen_backbone_take_it_from_another_file(tmp_path: Path) -> None:
    matchers = {name: value for name, value in published().items() if "matcher" in name}
    torch.save(matchers, tmp_path / "weights.pth")
    torch.save(xfeat_alone(), tmp_path / "xfeat.pt")
    words = [str(tmp_path / "weights.pth"), "--output", str(tmp_path / "bundle"), "--size", "64", "32"]
    with pytest.raises(ModelError, match=r"has matchers and no backbone.*--backbone xfeat\.pt"):
        import_weights(tmp_path / "weights.pth", "published", (64, 32), tmp_path / "bundle")
    main([*words, "--backbone", str(tmp_path / "xfeat.pt")])
    card = load_card(tmp_path / "bundle")
    assert "xfeat.pt, sha256" in card.trained_on and "variant published" in card.trained_on
    assert "random" not in card.trained_on and card.normalization == "preprocess"


def without(name: str) -> State:
    return {key: value for key, value in published().items() if key != name}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (without("coarse_matcher.2.layer.0.weight"), "lacks coarse_matcher.2.0.weight, which the variant needs"),
        (
            published() | {"xfeat.0.block3.1.layer.0.weight": torch.zeros(64, 64, 1, 1)},
            "backbone.block3.1.0.weight is 64x64x1x1, the variant needs 64x64x3x3",
        ),
        ({"weight": torch.zeros(3)}, "neither TinyRoMa nor XFeat"),
        ([1, 2, 3], "holds no state dict"),
    ],
)
def test_wrong_weights_are_one_sentence(state: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        imported(state, tmp_path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(tmp_path / "weights.pth"))
    assert not (tmp_path / "bundle").exists()


def test_a_variant_of_other_widths_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"backbone.skip1.1.weight is 24x1x1x1, the variant needs 32x1x1x1"):
        imported(published(), tmp_path, "tiny_row_large")


@pytest.mark.parametrize("size", [0, 1000, None])
def test_damaged_file_is_one_sentence(size: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weights.pth"
    if size is not None:
        torch.save({"xfeat.0.block1.0.layer.0.weight": torch.zeros(4, 1, 3, 3)}, path)
        path.write_bytes(path.read_bytes()[:size])
    code = os.EX_NOINPUT if size is None else os.EX_DATAERR
    assert exit_code(main, [str(path), "--output", str(tmp_path / "bundle")]) == code
    assert capsys.readouterr().err.count("\n") == 1
