"""Sums that are divided by, bounded from below: rounded to few bits they may become 0, and 0 / 0 is no number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

LEAST = 1e-4
"""Far below what sums of weights are in floating point."""
SUM, BOUND = ".sum", ".least"
POSITIVE = frozenset(["Abs", "Exp", "ReduceL2", "Relu", "Sigmoid", "Softmax", "Sqrt"])
"""Operators that give nothing negative, whatever they are given."""
KEEPING = frozenset(
    [
        *("AveragePool", "Cast", "Concat", "Div", "Flatten", "Gather", "Identity", "MaxPool", "Min", "Mul", "Add"),
        *("ReduceMax", "ReduceMean", "ReduceSum", "Reshape", "Slice", "Split", "Squeeze", "Sum", "Transpose"),
        *("Unsqueeze", "Clip", "Conv"),
    ]
)
"""Operators that give nothing negative where nothing that they are given is."""
OF_FIRST = frozenset(["Clip", "Gather", "ReduceSum", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze"])
"""Those of KEEPING whose other inputs say how."""


def with_safe_sums(model: onnx.ModelProto, constants: Mapping[str, Any]) -> int:
    """Each sum of weights by which something is divided is at least ``LEAST``; returns how many sums became so.

    That changes nothing in floating point. ``constants`` are the stored tensors by name. Bounded are sums over an axis
    or, as convolutions with ones, over channels, of what cannot be negative.
    """
    graph = _Graph(model, constants)
    divisions = [node for node in model.graph.node if node.op_type == "Div"]
    sums = {node.output[0]: node for division in divisions for node in graph.summed(division)}
    for node in sums.values():
        result = node.output[0]
        node.output[0] = f"{result}{SUM}"
        model.graph.initializer.append(_number(LEAST, f"{result}{BOUND}"))
        bound = helper.make_node("Max", [node.output[0], f"{result}{BOUND}"], [result], f"{node.name}.bounded")
        model.graph.node.insert(list(model.graph.node).index(node) + 1, bound)
    return len(sums)


def bounded_sums(model: onnx.ModelProto) -> list[str]:
    """Names of the sums that ``with_safe_sums`` has bounded, before they are."""
    return [node.input[0] for node in model.graph.node if node.op_type == "Max" and node.input[0].endswith(SUM)]


def raise_bounds(model: onnx.ModelProto, greatest: Mapping[str, float], levels: int) -> None:
    """No bound is less than a step of ``levels``; ``greatest`` is the greatest value of each bounded sum."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for name in bounded_sums(model):
        bound = name.removesuffix(SUM) + BOUND
        stored[bound].CopyFrom(_number(max(LEAST, greatest[name] / levels), bound))


def _number(value: float, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.float32(value).reshape(1), name)


class _Graph:
    """Who makes what, and what cannot be negative."""

    def __init__(self, model: onnx.ModelProto, constants: Mapping[str, Any]) -> None:
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._constants = constants
        self._known: dict[str, bool] = {}

    def summed(self, division: onnx.NodeProto) -> list[onnx.NodeProto]:
        """The sums of weights that ``division`` divides by, by their products or by them and a constant."""
        by = division.input[1]
        names = self._makers[by].input if by in self._makers and self._makers[by].op_type in ("Add", "Mul") else [by]
        makers = [self._makers[name] for name in dict.fromkeys(names) if name in self._makers]
        return [node for node in makers if self._is_sum(node) and self._is_positive(node.input[0])]

    def _is_sum(self, node: onnx.NodeProto) -> bool:
        weights = self._constants.get(node.input[1]) if node.op_type == "Conv" else None
        return node.op_type == "ReduceSum" or (weights is not None and bool((weights == 1).all()))

    def _is_positive(self, name: str) -> bool:
        """Whether it holds nothing negative, as far as the operators tell."""
        if name in self._constants:
            return bool((self._constants[name] >= 0).all())
        if name not in self._known:
            self._known[name] = False  # a graph has no loops; this is for graphs that are none
            node = self._makers.get(name)
            self._known[name] = node is not None and self._gives_positive(node)
        return self._known[name]

    def _gives_positive(self, node: onnx.NodeProto) -> bool:
        if node.op_type in POSITIVE or (node.op_type == "Mul" and node.input[0] == node.input[1]):
            return True
        if node.op_type == "Max" or (node.op_type == "Clip" and len(node.input) > 1 and node.input[1]):
            bounds = node.input if node.op_type == "Max" else node.input[:2]
            return any(map(self._is_positive, bounds))
        data = node.input[:1] if node.op_type in OF_FIRST else node.input
        return node.op_type in KEEPING and all(self._is_positive(one) for one in data if one)
