"""8-bit graphs are rounded only where 8 bits read the result."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")

import onnx  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

from model.quantize import Samples, quantize, rounded_less  # noqa: E402

IMAGE = np.random.default_rng(1).normal(size=(1, 1, 24, 32)).astype(np.float32)


def network() -> onnx.ModelProto:
    """Two convolutions with a ReLU each, and two heads on the second, one of them named as a part of it is."""
    rng, nodes, weights = np.random.default_rng(0), [], []
    layers = [("/body/first", "image", 1), ("/body/second", "/body/first.relu", 8)]
    heads = [("/delta/head", "/body/second.relu", 8), ("/other", "/body/second.relu", 8)]
    for name, given, channels in layers + heads:
        shape = (8 if (name, given, channels) in layers else 2, channels, 3, 3)
        for part, value in (("w", rng.normal(size=shape) / 3), ("b", rng.normal(size=shape[0]))):
            weights.append(numpy_helper.from_array(value.astype(np.float32), f"{name}.{part}"))
        nodes.append(
            helper.make_node("Conv", [given, f"{name}.w", f"{name}.b"], [f"{name}.out"], f"{name}/Conv", pads=[1] * 4)
        )
        if (name, given, channels) in layers:
            nodes.append(helper.make_node("Relu", [f"{name}.out"], [f"{name}.relu"], f"{name}/Relu"))
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, IMAGE.shape)
    results = [
        helper.make_tensor_value_info(f"{name}.out", onnx.TensorProto.FLOAT, (1, 2, *IMAGE.shape[2:]))
        for name, _, _ in heads
    ]
    graph = helper.make_graph(nodes, "small", [image], results, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: bytes) -> list[np.ndarray]:
    return runtime.InferenceSession(model).run(["/delta/head.out", "/other.out"], {"image": IMAGE})  # type: ignore[no-any-return]


def test_rounding_less_is_more_exact_and_heads_stay_in_float() -> None:
    source = network()
    int8 = quantize(source.SerializeToString(), Samples(iter([{"image": IMAGE}] * 2)), 7)
    better = rounded_less(int8, source, ["/delta/"])
    expected, plain, found = run(source.SerializeToString()), run(int8), run(better)
    before, after = (np.abs(np.array(one) - np.array(expected)).mean() for one in (plain, found))
    assert after < before
    graph = onnx.load_from_string(better).graph
    producers = {name: node.op_type for node in graph.node for name in node.output}
    (head,) = (node for node in graph.node if node.name == "/delta/head/Conv")
    assert all(name not in producers for name in head.input[1:]), "its weights are those of the float model"
    assert producers[head.output[0]] == "Conv" and head.output[0] == "/delta/head.out"
    rounded = Counter(producers.get(node.input[0], "input") for node in graph.node if node.op_type == "QuantizeLinear")
    assert rounded == {"input": 1, "Relu": 2, "Conv": 1}, "each ReLU once, and the head that stays in 8 bits"
    assert rounded_less(better, source, ["/delta/"]) == better


def test_what_nothing_in_eight_bits_reads_is_not_rounded() -> None:
    source = network()
    int8 = quantize(source.SerializeToString(), Samples(iter([{"image": IMAGE}] * 2)), 7)
    in_float = onnx.load_from_string(rounded_less(int8, source, ["/"]))
    assert {node.op_type for node in in_float.graph.node} == {"Conv", "Relu"}
    for found, expected in zip(run(in_float.SerializeToString()), run(source.SerializeToString()), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
