from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed: export needs it")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

import onnx
import onnxruntime

from model.base.npu_graph import with_all_attributes, with_exact_positions, with_safe_roots
from model.quantize_refinement import FIRST
from model.stereo.bundle import load_network, to_onnx
from roma_device.app.model_store import find_model


def outputs(model: onnx.ModelProto, pair: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, pair))


def test_positions_become_exact_in_8_bits_and_nothing_changes() -> None:
    model = to_onnx(load_network(FIRST)[0], (96, 64), dynamic=False)
    pair = {
        name: np.random.default_rng(0).normal(0, 1, (1, 1, 64, 96)).astype(np.float32) for name in ("left", "right")
    }
    before = outputs(model, pair)
    assert with_exact_positions(model) == 1 and with_exact_positions(model) == 0
    assert with_safe_roots(model) > 0 and with_safe_roots(model) == 0
    assert "steps_px" not in {tensor.name for tensor in model.graph.initializer}
    with_all_attributes(model)
    onnx.checker.check_model(model)
    for old, new in zip(before, outputs(model, pair), strict=True):
        np.testing.assert_allclose(new, old, atol=2e-4)


@pytest.mark.parametrize("name", ["stereo", "stereo-large"])
def test_graphs_of_the_bundled_models_are_as_the_npu_wants_them(name: str) -> None:
    for graph in find_model(name).graphs:
        for file in graph.files.values():
            model = onnx.load_from_string(file.read())
            assert (with_exact_positions(model), with_safe_roots(model)) == (0, 0)


def test_all_attributes_are_written_out() -> None:
    node = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    graph = onnx.helper.make_graph([node], "test", [], [])
    model = onnx.helper.make_model(graph)
    with_all_attributes(model)
    names = {attribute.name for attribute in model.graph.node[0].attribute}
    assert names == {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "pads", "strides"}
