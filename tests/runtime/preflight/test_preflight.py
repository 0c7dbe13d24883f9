"""Preflight against graphs with one thing wrong, and against the shipped model."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.app.cli import cli
from roma_device.app.model_store import find_model
from roma_device.app.verify.model_check import check_model, find_chip
from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import RomaError
from roma_device.runtime.card import ModelCard, ModelError
from roma_device.runtime.onnx.graph import Graph, read_onnx
from roma_device.runtime.onnx.shapes import infer
from roma_device.runtime.preflight.report import check_graph
from roma_device.runtime.preflight.rules import Finding

onnx = pytest.importorskip("onnx", reason="onnx is not installed: it makes the graphs of these tests")
helper, numpy_helper = onnx.helper, onnx.numpy_helper


class Builder:
    """A small network of good operators, to put one bad one into: (1, 8, h, w) before and after it."""

    def __init__(self, seed: int, size: tuple[int, int] = (32, 24)) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.shape = (1, 8, size[1], size[0])
        self.last = "image"
        self.convolve(1)

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, op: str, *more: str, outputs: int = 1, opset_domain: str = "", **attributes: Any) -> str:
        names = [f"{op}_{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, [self.last, *more], names, names[0], domain=opset_domain, **attributes))
        self.last = names[0]
        return names[0]

    def convolve(self, inputs: int = 8, stride: int = 1) -> None:
        weight = self.constant(self.rng.standard_normal((8, inputs, 3, 3)))
        self.add("Conv", weight, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[stride, stride])
        self.add("Relu")

    def graph(self, opset: int = 17) -> Graph:
        for _ in range(int(self.rng.integers(0, 3))):
            self.convolve()
        image = helper.make_tensor_value_info("image", 1, [1, 1, *self.shape[2:]])
        result = helper.make_tensor_value_info(self.last, 1, None)
        graph = helper.make_graph(self.nodes, "test", [image], [result], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        return read_onnx(model.SerializeToString(), Path("test.onnx"))


def reduced(axes: list[int] | None) -> Callable[[Builder], None]:
    def build(net: Builder) -> None:
        before = net.last
        net.add("ReduceMean", **({} if axes is None else {"axes": axes}))
        net.nodes.append(helper.make_node("Sub", [before, net.last], ["centred"]))
        net.last = "centred"

    return build


def written_out(net: Builder) -> None:
    """(x - mean) / std of a grey image."""
    net.nodes, net.last = [], "image"
    mean = net.add("ReduceMean", axes=[2, 3])
    net.last = "image"
    centred = net.add("Sub", mean)
    square = net.add("Mul", centred)
    assert square == net.last
    net.add("ReduceMean", axes=[2, 3])
    deviation = net.add("Sqrt")
    net.last = centred
    net.add("Div", deviation)
    net.convolve(1)


def index_as_logit(net: Builder) -> None:
    values = net.last
    net.add("ArgMax", axis=1, keepdims=1)
    index = net.add("Cast", to=1)
    net.last = values
    net.add("Concat", index, axis=1)
    net.add("Softmax", axis=1)
    net.add("Slice", *(net.constant([n], np.int64) for n in (0, 8, 1)))


def einsum(net: Builder) -> None:
    net.add("Einsum", net.last, equation="bchw,bcyw->bhyw")
    net.add("Reshape", net.constant([1, -1, 24, 32], np.int64))
    net.add("Slice", *(net.constant([n], np.int64) for n in (0, 8, 1)))


def instance_norm(side: int) -> Callable[[Builder], None]:
    def build(net: Builder) -> None:
        net.__init__(0, (side, side))  # type: ignore[misc]
        net.nodes, net.last = [], "image"
        net.add("InstanceNormalization", net.constant([1]), net.constant([0]))
        net.convolve(1)

    return build


def gather(indices: Any, axis: int) -> Callable[[Builder], None]:
    def build(net: Builder) -> None:
        net.add("Gather", net.constant(indices, np.int64), axis=axis)
        net.add("Reshape", net.constant([1, 8, 1, -1], np.int64))

    return build


def large_gather(net: Builder) -> None:
    net.add("Reshape", net.constant([8, 768], np.int64))
    net.add("Gather", net.constant(np.arange(200_000) % 768, np.int64), axis=1)
    net.add("Reshape", net.constant([1, 8, 400, 500], np.int64))


def one(op: str, *weights: Any, **attributes: Any) -> Callable[[Builder], None]:
    return lambda net: net.add(op, *(net.constant(w) for w in weights), **attributes) and None


def resize(**attributes: Any) -> Callable[[Builder], None]:
    return lambda net: net.add("Resize", "", net.constant([1, 1, 2, 2]), **attributes) and None


def pooled(net: Builder) -> None:
    net.add("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=0)


def train_norm(net: Builder) -> None:
    net.add("BatchNormalization", *(net.constant(np.ones(8)) for _ in range(4)), outputs=3, training_mode=1)


def powered(net: Builder) -> None:
    net.add("Pow", net.last)


def batch_of_grids(net: Builder) -> None:
    net.add("GroupNormalization", net.constant(np.ones(2)), net.constant(np.ones(2)), num_groups=2)


def transposed(net: Builder) -> None:
    weight = net.constant(net.rng.standard_normal((8, 8, 3, 3)))
    net.add("ConvTranspose", weight, strides=[2, 2], pads=[1, 1, 0, 0], output_padding=[1, 1])


BAD: dict[str, tuple[str, str, Callable[[Builder], None]]] = {
    "einsum": ("AX650", "operator", einsum),
    "unlisted": ("AX650", "operator", one("Tan")),
    "floor on the small chip": ("AX620E", "operator", one("Floor")),
    "group norm on the small chip": ("AX620E", "operator", batch_of_grids),
    "foreign domain": ("AX650", "operator", one("Magic", opset_domain="com.example")),
    "column-row depth to space": ("AX650", "attribute", one("DepthToSpace", blocksize=2, mode="CRD")),
    "automatic padding": ("AX650", "attribute", one("MaxPool", kernel_shape=[2, 2], auto_pad="SAME_UPPER")),
    "mirrored padding": (
        "AX650",
        "attribute",
        lambda net: net.add("Pad", net.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64), mode="reflect") and None,
    ),
    "cubic resize": ("AX650", "attribute", resize(mode="cubic")),
    "nearest rounds down": ("AX650", "attribute", resize(mode="nearest", nearest_mode="floor")),
    "aligned corners": ("AX650", "attribute", resize(mode="linear", coordinate_transformation_mode="align_corners")),
    "padding that does not count": ("AX650", "attribute", pooled),
    "two-dimensional indices": ("AX650", "attribute", gather([[0, 1], [2, 3]], 3)),
    "cast to int64": ("AX650", "attribute", one("Cast", to=7)),
    "exponent varies": ("AX650", "attribute", powered),
    "mean without axes": ("AX650", "attribute", reduced(None)),
    "output padding": ("AX650", "attribute", transposed),
    "last-index argmax": ("AX650", "attribute", one("ArgMax", axis=1, select_last_index=1)),
    "instance norm too large": ("AX650", "memory", instance_norm(320)),
    "gather too large": ("AX650", "memory", large_gather),
    "batch statistics": ("AX620E", "batch statistics", train_norm),
    "batch statistics at a new size": ("AX650", "batch statistics", train_norm),
    "index as a logit": ("AX650", "argmax", index_as_logit),
    "normalization written out": ("AX650", "written normalization", written_out),
}
"""What is wrong -> chip, rule that must say so, what puts it into a graph."""


def problems(graph: Graph, chip: str) -> list[Finding]:
    report = check_graph(graph, "test", find_chip(chip), "NPU1", None)
    return [finding for finding in report.findings if finding.severity != "risk"]


@pytest.mark.parametrize("name", BAD)
def test_bad_graphs_are_flagged(name: str) -> None:
    chip, rule, build = BAD[name]
    net = Builder(seed=list(BAD).index(name))
    build(net)
    found = problems(net.graph(), chip)
    assert {finding.rule for finding in found} == {rule}
    assert all(finding.node and finding.why and finding.change for finding in found)


def test_old_opset_is_flagged() -> None:
    assert {finding.rule for finding in problems(Builder(0).graph(opset=10), "AX650")} == {"opset"}


@pytest.mark.parametrize("seed", range(5))
def test_good_graphs_are_not_flagged(seed: int) -> None:
    net = Builder(seed)
    reduced([2, 3])(net)
    net.convolve()
    gather([3, 1, 2], 3)(net)
    for chip in ("AX650", "AX620E"):
        assert problems(net.graph(), chip) == []


@pytest.mark.parametrize("name", ["stereo", "two-view"])
@pytest.mark.parametrize("chip", ["AX650", "AX620E"])
def test_shipped_models_are_not_flagged(name: str, chip: str) -> None:
    report = check_model(name, chip, None, None)
    assert report.verdict == "compiles"
    assert [finding for finding in report.findings if finding.severity != "risk"] == []


def test_costs_are_those_of_the_definition() -> None:
    graph = Builder(0).graph()
    report = check_graph(graph, "test", find_chip("AX650"), "NPU1", None)
    more = sum(node.op == "Conv" for node in graph.nodes) - 1
    assert report.gmac == pytest.approx(24 * 32 * 8 * 9 * (1 + 8 * more) / 1e9)


@pytest.mark.parametrize("name", ["stereo", "two-view"])
def test_shapes_agree_with_onnx(name: str) -> None:
    """Every shape of the shipped graphs at a size that nobody chose."""
    card = find_model(name)
    model = onnx.load_from_string(card.files["onnx"].read())
    for value in model.graph.input:
        for axis, size in ((2, 96), (3, 160)):
            value.type.tensor_type.shape.dim[axis].dim_value = size
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    graph = read_onnx(card.files["onnx"].read(), card.files["onnx"].path).with_size((160, 96))
    known = infer(graph)
    compared = 0
    for value in inferred.graph.value_info:
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if all(dims) and value.name in known.shapes:
            assert known.shapes[value.name] == tuple(dims), value.name
            compared += 1
    assert compared > 500
    assert all(name in known.shapes for node in graph.nodes for name in node.outputs)


def test_cpu_nodes_of_a_compiled_file_are_named() -> None:
    nodes = [helper.make_node("neu mode", ["image"], ["a"], "npu_0"), helper.make_node("Softmax", ["a"], ["b"], "cpu")]
    image = helper.make_tensor_value_info("image", 1, [1, 1, 24, 32])
    graph = helper.make_graph(nodes, "test", [image], [helper.make_tensor_value_info("b", 1, None)])
    data = helper.make_model(graph, producer_name="Pulsar2").SerializeToString()
    report = check_graph(read_onnx(data, Path("a.axmodel")), "a.axmodel", find_chip("AX650"), "NPU1", None)
    assert [(finding.rule, finding.node) for finding in report.findings] == [("cpu fallback", "cpu")]


@given(cut=st.integers(0, 20_000), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_damaged_files_are_one_sentence(cut: int, seed: int) -> None:
    """Cut off, or with bytes changed: read, or refused with a sentence, and never anything else."""
    net = Builder(0)
    image = helper.make_tensor_value_info("image", 1, [1, 1, 24, 32])
    graph = helper.make_graph(net.nodes, "t", [image], [helper.make_tensor_value_info(net.last, 1, None)], net.weights)
    data = bytearray(helper.make_model(graph).SerializeToString())
    for _ in range(seed):
        data[np.random.default_rng(cut + seed).integers(len(data))] ^= 1 << seed % 8
    try:
        damaged = read_onnx(bytes(data[: cut % len(data)]), Path("cut.onnx"))
        check_graph(damaged, "cut.onnx", find_chip("AX650"), "NPU1", None)
    except ModelError as error:
        assert "cut.onnx" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["stereo", "--chip", "AX700"], "unknown chip 'AX700'; known: AX615, AX620E ", os.EX_USAGE),
        (["stereo", "--chip", "AX620E", "--npu", "NPU3"], "AX620E has no mode NPU3; known: NPU1, NPU2", os.EX_USAGE),
        (["stereo", "--chip", "AX650", "--size", "640"], "write WIDTHxHEIGHT", os.EX_USAGE),
        (["nothing", "--chip", "AX650"], "no model 'nothing'", os.EX_NOINPUT),
    ],
)
def test_wrong_usage_is_one_sentence(words: list[str], message: str, code: int) -> None:
    with pytest.raises(RomaError, match=message) as caught:
        CliRunner().invoke(cli, ["model", "check", *words], standalone_mode=False, catch_exceptions=False)
    assert caught.value.exit_code == code


def test_open_size_needs_a_choice(stereo_card: ModelCard, tmp_path: Path) -> None:
    path = tmp_path / "open.onnx"
    path.write_bytes(stereo_card.files["onnx"].read())
    with pytest.raises(ModelError, match=r"left has open dimensions \(1x1x\?x\?\), the NPU compiler needs fixed ones"):
        check_model(str(path), "AX650", None, None)
    assert check_model(str(path), "AX650", None, (320, 160)).verdict == "compiles"
    path.write_bytes(stereo_card.files["onnx"].read()[:100_000])
    with pytest.raises(ModelError, match="not a whole ONNX file"):
        check_model(str(path), "AX650", None, (320, 160))


def coarsened(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if "in the 8 bits that weights have" in finding.why]


def test_positions_that_8_bit_weights_coarsen_are_told() -> None:
    net = Builder(0)
    net.add("Conv", net.constant(30.0 * np.arange(8).reshape(1, 8, 1, 1)), kernel_shape=[1, 1])
    name = net.last
    (found,) = coarsened(check_graph(net.graph(), "test", find_chip("AX650"), "NPU1", None).findings)
    assert found.node == name and "0.71" in found.why  # 90 lies between 54 and 55 steps of 210 / 127


@pytest.mark.parametrize(("bundle", "op"), [("stereo", ""), ("stereo-large", ""), ("two-view", "MatMul")])
def test_what_8_bit_weights_coarsen_in_the_shipped_models(bundle: str, op: str) -> None:
    report = check_model(bundle, "AX650", "NPU1", Size(640, 320))
    coarse = coarsened(report.findings)
    assert bool(coarse) == bool(op) and all(op in finding.node for finding in coarse)
    assert report.verdict == "compiles"


@pytest.mark.parametrize(("bundle", "verdict"), [("stereo", "compiles"), ("two-view", "fails")])
def test_the_ax615_has_the_operators_of_stereo_alone(bundle: str, verdict: str) -> None:
    report = check_model(bundle, "AX615", None, Size(640, 320))
    lacking = {finding.why.split()[0] for finding in report.findings if finding.rule == "operator"}
    assert report.verdict == verdict and lacking == ({"GridSample", "ReduceSum"} if verdict == "fails" else set())


def test_padding_of_chosen_axes_is_flagged() -> None:
    """Opset 18's form, which a list for opset 17 does not tell of."""
    net = Builder(0)
    net.add("Pad", net.constant([1, 1], np.int64), "", net.constant([3], np.int64))
    assert {finding.why for finding in problems(net.graph(opset=18), "AX650")} == {"Pad with axes"}
    net = Builder(0)
    net.add("Pad", net.constant([0, 0, 0, 1, 0, 0, 0, 1], np.int64))
    assert problems(net.graph(), "AX650") == []
