"""The NPU's arithmetic on a host: what is rounded, to how many levels, and what the tool writes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")
pytest.importorskip("onnx", reason="onnx is not installed: export needs it")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

import onnx
from onnx import helper, numpy_helper

from model.base.npu_graph import for_npu, with_reduced_sums, with_safe_roots
from model.base.safe_sums import bounded_sums, raise_bounds, with_safe_sums
from model.kit.arithmetic import PRECISIONS, session_of, simulated
from model.simulate_chip import main
from roma_device.runtime.card import load_card
from tests.model.tiny_networks import random_bundle
from tests.model.tool_failure import exit_code

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((3, 2, 1, 1)).astype(np.float32)
IMAGE = RNG.uniform(-2, 5, (1, 2, 40, 50)).astype(np.float32)


def graph_of(*nodes: onnx.NodeProto, **constants: npt.NDArray[np.float32]) -> onnx.ModelProto:
    """From x (1, 2, h, w) to y."""
    given = helper.make_tensor_value_info("x", 1, [1, 2, "h", "w"])
    result = helper.make_tensor_value_info("y", 1, None)
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "test", [given], [result], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, image: npt.NDArray[np.float32] = IMAGE) -> npt.NDArray[np.float32]:
    return np.asarray(session_of(model).run(["y"], {"x": image})[0], np.float32)


def to_levels(values: npt.NDArray[np.float32], bits: int) -> npt.NDArray[np.float64]:
    """Asymmetric, with 0 on a level; written apart from the tool, in double precision."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    step = (high - low) / (2**bits - 1)
    zero = np.round(-low / step)
    return np.asarray((np.clip(np.round(values / step) + zero, 0, 2**bits - 1) - zero) * step)


@pytest.mark.parametrize(("word", "bits"), [("u8", 8), ("u16", 16)])
def test_a_convolution_reads_levels_and_gives_levels(word: str, bits: int) -> None:
    model = graph_of(helper.make_node("Conv", ["x", "w"], ["y"]), w=WEIGHT)
    got = run(simulated(model, [{"x": IMAGE}], PRECISIONS[word]))
    scale = np.abs(WEIGHT).max(axis=(1, 2, 3), keepdims=True) / 127
    weight = np.round(WEIGHT / scale) * scale
    read = to_levels(IMAGE, bits)
    exact = np.einsum("oi,nihw->nohw", weight[:, :, 0, 0].astype(np.float64), read)
    plain = run(model)  # of whose range the levels are: what lies beyond, for the weights are rounded, is cut
    step = np.ptp(np.append(plain, 0)) / (2**bits - 1)
    inside = (exact > plain.min()) & (exact < plain.max())
    assert inside.mean() > 0.99
    assert np.abs(got - exact)[inside].max() <= 1.1 * step  # float32 in between may round to the level beside
    assert len(np.unique(got)) <= 2**bits
    assert np.abs(got - plain).max() > 0.2 * step


def test_the_function_that_is_computed_with_a_convolution_comes_before_the_rounding() -> None:
    """Rounded before it, half of 256 levels would fall to the negative values that Relu cuts off."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["s"]), helper.make_node("Relu", ["s"], ["y"])]
    model = graph_of(*nodes, w=np.array([[[[1.0]], [[-1.0]]]], np.float32))
    got = run(simulated(model, [{"x": IMAGE}], PRECISIONS["u8"]))
    step = run(model).max() / 255
    assert np.allclose(got / step, np.round(got / step), atol=1e-2)
    assert np.abs(got - run(model)).max() < 1.6 * step  # two inputs, and the result


def test_mixed_has_eight_bits_for_what_convolutions_take() -> None:
    """What they give has sixteen, as all else."""
    nodes = [helper.make_node("Mul", ["x", "x"], ["p"]), helper.make_node("Add", ["p", "x"], ["y"])]
    model = graph_of(*nodes)
    mixed, fine = (run(simulated(model, [{"x": IMAGE}], PRECISIONS[word])) for word in ("mixed", "u16"))
    assert np.array_equal(mixed, fine) and len(np.unique(mixed)) > 256
    one = np.array([[[[0.5]], [[0.0]]]], np.float32)  # the first channel, halved: as many levels as are read
    halved = graph_of(nodes[0], helper.make_node("Conv", ["p", "w"], ["y"]), w=one)
    few, many = (len(np.unique(run(simulated(halved, [{"x": IMAGE}], PRECISIONS[word])))) for word in ("mixed", "u16"))
    assert few <= 256 < many
    joined = graph_of(nodes[0], helper.make_node("Conv", ["p", "w"], ["y"]), w=WEIGHT)
    assert len(np.unique(run(simulated(joined, [{"x": IMAGE}], PRECISIONS["mixed"])))) > 256


def test_what_only_moves_is_not_rounded_again() -> None:
    shape = numpy_helper.from_array(np.array([1, 1, -1, 50]), "shape")
    model = graph_of(helper.make_node("Reshape", ["x", "shape"], ["y"]))
    model.graph.initializer.append(shape)
    got = run(simulated(model, [{"x": IMAGE}], PRECISIONS["u8"]))
    assert np.allclose(np.sort(got.ravel()), np.sort(to_levels(IMAGE, 8).ravel()), atol=1e-5)


def test_values_beyond_the_measured_range_are_cut() -> None:
    model = graph_of(helper.make_node("Add", ["x", "x"], ["y"]))
    got = run(simulated(model, [{"x": IMAGE}], PRECISIONS["u16"]), 3 * IMAGE)
    assert got.max() == pytest.approx(2 * IMAGE.max(), rel=1e-3)
    assert got.min() == pytest.approx(2 * IMAGE.min(), rel=1e-3)


@pytest.mark.parametrize("is_node", [True, False])
def test_sums_become_reductions_that_compute_the_same(is_node: bool) -> None:
    """Their ones are an initializer or, as torch writes them, a node."""
    ones = numpy_helper.from_array(np.ones((3, 2, 1, 1), np.float32), "ones")
    model = graph_of(helper.make_node("Conv", ["x", "ones"], ["y"], "sum"))
    if is_node:
        model.graph.node.insert(0, helper.make_node("Constant", [], ["ones"], value=ones))
    else:
        model.graph.initializer.append(ones)
    before = run(model)
    assert with_reduced_sums(model) == 1
    assert {node.op_type for node in model.graph.node} - {"Constant"} == {"ReduceSum", "Concat"}
    assert np.allclose(run(model), before, atol=1e-6) and run(model).shape == before.shape


def test_lengths_that_round_to_nothing_are_not_divided_by() -> None:
    """x / sqrt(x² + 1e-4), as features are normalized: beside values of 300 a step of 16 bits is more than the 1e-4."""
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["square"]),
        helper.make_node("Add", ["square", "least"], ["sum"]),
        helper.make_node("Sqrt", ["sum"], ["root"], "root"),
        helper.make_node("Div", ["x", "root"], ["y"]),
    ]
    model = graph_of(*nodes, least=np.array(1e-4, np.float32))
    image = np.where(RNG.random(IMAGE.shape) < 0.3, 0, 60 * IMAGE).astype(np.float32)
    before = run(model, image)
    assert not np.isfinite(run(simulated(model, [{"x": image}], PRECISIONS["u16"]), image)).all()
    assert with_safe_roots(model) == 1
    assert np.array_equal(run(model, image), before)
    error = np.abs(run(simulated(model, [{"x": image}], PRECISIONS["u16"]), image) - before)
    assert error.mean() < 1e-3 and error.max() < 1


def weighted_mean(operator: str) -> onnx.ModelProto:
    """exp(x) shared out over the two channels: far below the greatest x all that is summed rounds to nothing."""
    summed = {
        "ReduceSum": helper.make_node("ReduceSum", ["weights", "channels"], ["total"], "total"),
        "Conv": helper.make_node("Conv", ["weights", "ones"], ["total"], "total"),
    }
    nodes = [helper.make_node("Exp", ["x"], ["weights"]), summed[operator]]
    constants = {"channels": np.array([1]), "ones": np.ones((1, 2, 1, 1), np.float32)}
    return graph_of(*nodes, helper.make_node("Div", ["weights", "total"], ["y"]), **constants)


@pytest.mark.parametrize("operator", ["ReduceSum", "Conv"])
def test_sums_of_weights_that_round_to_nothing_are_not_divided_by(operator: str) -> None:
    model, image = weighted_mean(operator), np.where(RNG.random(IMAGE.shape) < 0.7, -8, 2.4).astype(np.float32)
    before = run(model, image)
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(run(simulated(model, [{"x": image}], PRECISIONS["u8"]), image)).all()
    assert for_npu(model) is model and np.array_equal(run(model, image), before)
    assert [node.op_type for node in model.graph.node].count("Max") == 1
    assert with_safe_sums(model, {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}) == 0
    assert np.isfinite(run(simulated(model, [{"x": image}], PRECISIONS["u16"]), image)).all()


def test_a_bound_is_at_least_a_step_of_what_is_summed() -> None:
    model = weighted_mean("Conv")
    for_npu(model)
    assert bounded_sums(model) == ["total.sum"]
    image = np.where(RNG.random(IMAGE.shape) < 0.7, -8, 6.0).astype(np.float32)
    before = run(model, image)
    assert not np.isfinite(run(simulated(model, [{"x": image}], PRECISIONS["u16"]), image)).all()
    raise_bounds(model, {"total.sum": 2 * float(np.exp(6))}, 65535)
    assert np.isfinite(run(simulated(model, [{"x": image}], PRECISIONS["u16"]), image)).all()
    assert np.abs(run(model, image) - before).max() < 0.5, "a share of what is nothing beside the rest"


def test_what_may_be_negative_is_not_bounded() -> None:
    summed = helper.make_node("ReduceSum", ["x", "channels"], ["total"])
    model = graph_of(summed, helper.make_node("Div", ["x", "total"], ["y"]), channels=np.array([1]))
    assert with_safe_sums(model, {"channels": np.array([1])}) == 0


def test_the_bundle_runs_and_says_less_than_the_original(tmp_path: Path) -> None:
    random_bundle("tiny_row_narrow", tmp_path / "bundle")
    coarse = tmp_path / "coarse"
    main([str(tmp_path / "bundle"), "--precision", "u8", "--output", str(coarse), "--count", "1"])
    card, original = load_card(coarse), load_card(tmp_path / "bundle")
    assert card.name == "coarse" and set(card.files) == {"onnx"} and card.inputs == original.inputs
    models = [onnx.load_from_string(one.files["onnx"].read()) for one in (card, original)]
    size = original.inputs[0].shape_at(original.default_size)
    images = {name: RNG.standard_normal(size).astype(np.float32) for name in ("left", "right")}
    rounded, exact = (session_of(model).run(None, images)[0] for model in models)
    assert rounded.shape == exact.shape and len(np.unique(rounded)) <= 256 < len(np.unique(exact))


def test_more_precisions_than_graphs_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_bundle("tiny_row_narrow", tmp_path / "bundle")
    words = [str(tmp_path / "bundle"), "--precision", "u8", "u16", "--output", str(tmp_path / "new"), "--count", "1"]
    assert exit_code(main, words) == os.EX_USAGE
    assert "has 1 graph(s), and --precision names 2" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
