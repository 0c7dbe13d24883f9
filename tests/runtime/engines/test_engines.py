"""Every engine of the table against the same contract."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from _pytest.mark.structures import ParameterSet

from roma_device.app.model_store import find_model
from roma_device.runtime.card import ModelCard, ModelError, ModelFile, TensorSpec
from roma_device.runtime.engine import ENGINES, Engine, EngineError, EngineOptions, engine_class, open_engine
from roma_device.runtime.engines.host import onnx_file

SIZE = (320, 160)
PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}
"""The extras that engines need."""


def engine_parameter(name: str) -> ParameterSet:
    missing = name in PACKAGES and find_spec(PACKAGES[name]) is None
    skip = pytest.mark.skipif(missing, reason=f"the extra {name} is not installed")
    return pytest.param(name, marks=skip)


HOST_ENGINES = [engine_parameter(name) for name in ("opencv", "onnx", "openvino")]


def opened(card: ModelCard, name: str, size: tuple[int, int] = SIZE) -> Engine:
    return open_engine(card, name, EngineOptions(size, threads=1, precision="fp32"))


def fill(engine: Engine, seed: int = 0, shift_px: int = 12) -> None:
    """A smooth random texture; the right image sees it ``shift_px`` further left."""
    rng = np.random.default_rng(seed)
    height, width = engine.inputs["left"].shape[-2:]
    texture = rng.standard_normal((height, width + shift_px)).astype(np.float32)
    texture = (texture + np.roll(texture, 1, 1) + np.roll(texture, 1, 0)) / np.sqrt(3)
    engine.inputs["left"][0, 0] = texture[:, :width]
    engine.inputs["right"][0, 0] = texture[:, shift_px:]


def with_file(card: ModelCard, path: Path, data: bytes) -> ModelCard:
    path.write_bytes(data)
    return dataclasses.replace(card, files={"onnx": ModelFile(path, hashlib.sha256(data).hexdigest())})


@pytest.mark.parametrize("name", HOST_ENGINES)
class TestContract:
    def test_finds_a_shift(self, stereo_card: ModelCard, name: str) -> None:
        engine = opened(stereo_card, name)
        fill(engine)
        engine.run()
        inner = engine.outputs["disparity"][0, 0, 16:-16, 48:-16]
        assert abs(float(np.median(inner)) - 12) < 0.5
        assert engine.outputs["certainty"].min() >= 0 and engine.outputs["certainty"].max() <= 1

    def test_buffers_stay_the_same_arrays(self, stereo_card: ModelCard, name: str) -> None:
        engine = opened(stereo_card, name)
        before = {key: id(array) for key, array in {**engine.inputs, **engine.outputs}.items()}
        fill(engine)
        engine.run()
        first = engine.outputs["disparity"].copy()
        fill(engine, shift_px=20)
        engine.run()
        assert {key: id(array) for key, array in {**engine.inputs, **engine.outputs}.items()} == before
        assert not np.allclose(first, engine.outputs["disparity"])

    def test_same_input_gives_same_output(self, stereo_card: ModelCard, name: str) -> None:
        engine = opened(stereo_card, name)
        fill(engine)
        engine.run()
        first = engine.outputs["disparity"].copy()
        engine.run()
        assert np.array_equal(first, engine.outputs["disparity"])

    def test_closing_twice_is_fine(self, stereo_card: ModelCard, name: str) -> None:
        engine = opened(stereo_card, name)
        engine.close()
        engine.close()

    def test_truncated_model_is_one_sentence(self, stereo_card: ModelCard, name: str, tmp_path: Path) -> None:
        data = stereo_card.files["onnx"].read()
        card = with_file(stereo_card, tmp_path / "cut.onnx", data[: len(data) // 2])
        with pytest.raises((ModelError, EngineError)) as caught:
            opened(card, name)
        assert "\n" not in str(caught.value) and "cannot load" in str(caught.value)

    def test_no_model_at_all_is_one_sentence(self, stereo_card: ModelCard, name: str, tmp_path: Path) -> None:
        with pytest.raises((ModelError, EngineError)):
            opened(with_file(stereo_card, tmp_path / "no.onnx", b"not a model"), name)

    def test_card_without_an_onnx_file(self, stereo_card: ModelCard, name: str) -> None:
        with pytest.raises(EngineError, match="has no ONNX file"):
            opened(dataclasses.replace(stereo_card, files={}), name)


@pytest.mark.parametrize("size", [(320, 160), (640, 320), (416, 288)])
@pytest.mark.parametrize("name", HOST_ENGINES[1:])
def test_engines_agree(stereo_card: ModelCard, name: str, size: tuple[int, int]) -> None:
    one, other = opened(stereo_card, "opencv", size), opened(stereo_card, name, size)
    for engine in (one, other):
        fill(engine)
        engine.run()
    assert np.abs(one.outputs["disparity"] - other.outputs["disparity"]).max() < 1e-3
    assert np.abs(one.outputs["certainty"] - other.outputs["certainty"]).max() < 1e-3


def test_every_engine_of_the_table_can_be_imported() -> None:
    for name in ENGINES:
        assert callable(engine_class(name))


def test_auto_takes_what_is_there(stereo_card: ModelCard) -> None:
    fill(engine := opened(stereo_card, "auto"))
    engine.run()
    assert engine.outputs["disparity"].max() > 0


def test_unknown_engine_is_a_usage_error(stereo_card: ModelCard) -> None:
    with pytest.raises(EngineError, match="unknown engine 'gpu'; known: auto, opencv, onnx, openvino") as caught:
        opened(stereo_card, "gpu")
    assert caught.value.exit_code == os.EX_USAGE


def test_odd_size_is_refused(stereo_card: ModelCard) -> None:
    with pytest.raises(ModelError, match="takes multiples of 32 px, not 330x160"):
        opened(stereo_card, "opencv", (330, 160))


def test_fixed_size_is_respected(stereo_card: ModelCard) -> None:
    fixed = tuple(TensorSpec(spec.name, (1, 1, 160, 320)) for spec in stereo_card.inputs)
    card = dataclasses.replace(stereo_card, inputs=fixed)
    with pytest.raises(ModelError, match="takes 320x160 px only, not 640x320"):
        opened(card, "opencv", (640, 320))


def with_int8(card: ModelCard) -> ModelCard:
    return dataclasses.replace(card, files={**card.files, "onnx_int8": card.files["onnx"]})


@pytest.mark.parametrize(
    ("engine", "machine", "precision"),
    [("openvino", "x86_64", "int8"), ("openvino", "aarch64", "fp32"), ("opencv", "x86_64", "fp32")],
)
def test_auto_takes_8_bits_where_they_were_measured_faster(
    stereo_card: ModelCard, engine: str, machine: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert onnx_file(with_int8(stereo_card), engine, "auto")[0] == precision


def test_without_8_bits_auto_takes_float_and_a_demand_is_refused(stereo_card: ModelCard) -> None:
    card = dataclasses.replace(stereo_card, files={"onnx": stereo_card.files["onnx"]})
    assert onnx_file(card, "openvino", "auto")[0] == "fp32"
    with pytest.raises(EngineError, match="has no ONNX file in int8"):
        onnx_file(card, "openvino", "int8")


def test_opencv_says_that_it_runs_no_8_bits(stereo_card: ModelCard) -> None:
    with pytest.raises(EngineError, match="runs fp32 alone"):
        open_engine(with_int8(stereo_card), "opencv", EngineOptions(SIZE, precision="int8"))


def test_opencv_4_refuses_what_it_lacks_before_it_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV 4.10 ends the process where it reads the two-view model."""
    monkeypatch.delattr(cv2.dnn, "ENGINE_CLASSIC", raising=False)
    with pytest.raises(EngineError, match="has no GridSample and no Range, which model two-view needs"):
        open_engine(find_model("two-view"), "opencv", EngineOptions((64, 64)))
