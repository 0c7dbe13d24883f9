"""Folding of shape arithmetic leaves what onnxruntime's own folding leaves, and open batches are told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.app.verify.model_check import check_model
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelError
from roma_device.runtime.onnx.graph import read_onnx
from roma_device.runtime.onnx.shapes import infer

onnx = pytest.importorskip("onnx", reason="onnx is not installed: it makes the graphs of these tests")
ort = pytest.importorskip("onnxruntime")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

UNARY = ("Neg", "Abs", "Sign", "Identity")
BINARY = ("Add", "Sub", "Mul", "Max", "Min")
COMPARED = ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
LOGICAL = ("And", "Or", "Xor")
SIZE = Size(32, 24)


class Shapes:
    """Arithmetic on the shape of the image, as exporters write it; the last value is always (4,) int64."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.last = self.add("Shape", "image")

    def constant(self, values: list[int], dtype: Any = np.int64) -> str:
        self.weights.append(numpy_helper.from_array(np.array(values, dtype), f"c{len(self.weights)}"))
        return f"c{len(self.weights) - 1}"

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        names = [f"{op}_{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, names[0], **attributes))
        return names[0]

    def step(self, kind: str, op: int, values: list[int]) -> None:
        other = self.constant(values)
        if kind == "unary":
            self.last = self.add(UNARY[op % len(UNARY)], self.last)
        elif kind == "binary":
            self.last = self.add(BINARY[op % len(BINARY)], self.last, other)
        elif kind == "where":
            compared = self.add(COMPARED[op % len(COMPARED)], self.last, other)
            again = self.add(COMPARED[(op + 1) % len(COMPARED)], self.last, other)
            joined = self.add("Not", self.add(LOGICAL[op % len(LOGICAL)], compared, again))
            self.last = self.add("Where", joined, self.last, other)
        elif kind == "reduce":
            total = self.add(("ReduceProd", "ReduceSum")[op % 2], self.last, *self._axes(op), keepdims=1)
            self.last = self.add("Expand", total, self.constant([4]))
        elif kind == "tile":
            head = self.add("Slice", self.last, self.constant([0]), self.constant([2]))
            self.last = self.add("Tile", head, self.constant([2]))
        elif kind == "split":
            parts = self.add("Split", self.last, outputs=2, axis=0, num_outputs=2)
            self.last = self.add("Concat", parts.removesuffix("_0") + "_1", parts, axis=0)
        else:
            zeros = self.add("ConstantOfShape", self.constant([4]), value=helper.make_tensor("v", 7, [1], [0]))
            self.last = self.add("Gather", self.last, self.add("Add", zeros, self.constant([3, 2, 1, 0])))

    def _axes(self, op: int) -> list[str]:
        return [self.constant([0])] if op % 2 else []

    def model(self) -> bytes:
        """Every remaining number counts: it becomes the shift of a sum over the image."""
        shift = self.add("Cast", self.last, to=1)
        shift = self.add("Reshape", shift, self.constant([1, 1, 1, 4]))
        wide = self.add("Tile", shift, self.constant([1, 1, 1, 8]))
        self.add("Relu", self.add("Add", "image", wide))
        image = helper.make_tensor_value_info("image", 1, [1, 1, "h", "w"])
        result = helper.make_tensor_value_info(self.nodes[-1].output[0], 1, None)
        graph = helper.make_graph(self.nodes, "g", [image], [result], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        return bytes(model.SerializeToString())


def left_by_onnxruntime(data: bytes) -> Counter[str]:
    with TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "small.onnx")
        options.log_severity_level = 4
        for name, length in zip(("h", "w"), (SIZE.height, SIZE.width), strict=True):
            options.add_free_dimension_override_by_name(name, length)
        ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


KINDS = ("unary", "binary", "where", "reduce", "tile", "split", "gather")
steps = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.lists(st.integers(-1, 40), min_size=4, max_size=4)),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(steps=steps)
def test_what_is_left_is_what_onnxruntime_leaves(steps: list[tuple[str, int, list[int]]]) -> None:
    shapes = Shapes()
    for step in steps:
        shapes.step(*step)
    data = shapes.model()
    graph = read_onnx(data, Path("g.onnx")).with_size(SIZE)
    known = infer(graph)
    left = Counter(node.op for node in graph.nodes if not all(name in known.constants for name in node.outputs))
    assert left == left_by_onnxruntime(data)


@pytest.mark.parametrize("op", ["Shape", "Size"])
def test_parts_of_a_shape_and_its_size_are_numbers(op: str) -> None:
    shapes = Shapes()
    attributes = {"start": 1, "end": 3} if op == "Shape" else {}
    name = shapes.add(op, "image", **attributes)
    known = infer(read_onnx(shapes.model(), Path("g.onnx")).with_size(SIZE))
    assert known.constants[name].tolist() == ([1, 24] if op == "Shape" else 768)


def relu(folder: Path, *shape: int | str) -> str:
    value = [helper.make_tensor_value_info(name, 1, shape) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "relu.onnx").write_bytes(model.SerializeToString())
    return str(folder / "relu.onnx")


@pytest.mark.parametrize("shape", [("n", 3, 64, 96), ("n", 209), ("batch", 8, 16)])
def test_an_open_batch_is_taken_as_1_and_said(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    report = check_model(relu(tmp_path, *shape), "AX650", None, None)
    assert "the batch is open: taken as 1" in report.as_text()


@pytest.mark.parametrize("shape", [("n", 3, 64, 96), (1, 3, 64, 96)])
def test_a_size_that_contradicts_the_file_or_changes_nothing_is_said(
    tmp_path: Path, shape: tuple[int | str, ...]
) -> None:
    path = relu(tmp_path, *shape)
    with pytest.raises(ModelError, match="--size 640x480 contradicts the file, whose input is 96x64"):
        check_model(path, "AX650", None, Size(640, 480))
    assert "changes nothing" in check_model(path, "AX650", None, Size(96, 64)).as_text()


@pytest.mark.parametrize("shape", [("n", "m"), ("n", "length", 8)])
def test_no_advice_to_give_a_size_where_none_helps(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    path = relu(tmp_path, *shape)
    for size in (None, Size(640, 480)):
        with pytest.raises(ModelError, match="fixed sizes") as caught:
            check_model(path, "AX650", None, size)
        assert "give --size" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((1, 3, 256, "w"), "whose input has a height of 256"),
        ((1, 3, "h", 256), "whose input has a width of 256"),
        (("n", "h", "w", 3), "seem to come last"),
    ],
)
def test_a_size_that_half_of_the_file_contradicts(tmp_path: Path, shape: tuple[int | str, ...], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        check_model(relu(tmp_path, *shape), "AX650", None, Size(640, 480))


def test_open_channels_are_taken_as_1_and_said(tmp_path: Path) -> None:
    path = relu(tmp_path, 1, "c", "h", "w")
    assert "the channels of x are open: taken as 1" in check_model(path, "AX650", None, Size(640, 480)).as_text()


def test_whole_numbers_are_divided_toward_zero() -> None:
    """As onnxruntime does: -7 // 2 is -3, which exporters write for rounding up."""
    shapes = Shapes()
    shapes.last = shapes.add("Div", shapes.constant([-7, 7, -7, 7]), shapes.constant([2, 2, -2, -2]))
    known = infer(read_onnx(shapes.model(), Path("g.onnx")))
    assert known.constants[shapes.last].tolist() == [-3, 3, 3, -3]
