"""Rewriting of a graph for the NPU's compiler, in place: it computes the same, and 8-bit weights do less harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .safe_sums import with_safe_sums

DEFAULTS: dict[str, dict[str, Any]] = {
    "Conv": {"auto_pad": "NOTSET", "dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0], "strides": [1, 1]},
    "Softmax": {"axis": -1},
}
DEFAULTS["ConvTranspose"] = DEFAULTS["Conv"] | {"output_padding": [0, 0]}
"""Operator -> attributes at ONNX's defaults for images: left out, they have crashed the compiler's front end."""

LEAST_POSITIONS = 8


def for_npu(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` itself, now in the form in which it computes the same in few bits too."""
    with_exact_positions(model)
    with_safe_roots(model)
    with_safe_sums(model, _constants(model))
    return model


def with_all_attributes(model: onnx.ModelProto) -> None:
    """Write out what ONNX would assume."""
    for node in model.graph.node:
        present = {attribute.name for attribute in node.attribute}
        for name, value in DEFAULTS.get(node.op_type, {}).items():
            if name not in present:
                node.attribute.append(helper.make_attribute(name, value))


def with_exact_positions(model: onnx.ModelProto) -> int:
    """A 1x1 convolution whose weights count evenly becomes a product with them and a sum; returns how many did.

    The compiler holds weights in 8 bits, 0, 4 ... 188 in steps of 1.48; a factor of a product has the 16 bits of
    activations, and a weight of 1 is exact.
    """
    constants = _constants(model)
    rewritten = 0
    for place, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type != "Conv" or len(node.input) != 2 or node.input[1] not in constants:
            continue
        values = constants[node.input[1]]
        if _counts_evenly(values):
            model.graph.node.insert(place, _product(model, node, values))
            rewritten += 1
    _drop_unread(model)
    return rewritten


def _drop_unread(model: onnx.ModelProto) -> None:
    """Stored tensors that no node reads any more."""
    read = {name for node in model.graph.node for name in node.input}
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name not in read]:
        model.graph.initializer.remove(tensor)


def _counts_evenly(values: Any) -> bool:
    if values.shape[0] != 1 or values.shape[1] < LEAST_POSITIONS or values.size != values.shape[1]:
        return False
    steps = np.diff(values.ravel().astype(np.float64))
    return bool(steps.all() and np.ptp(steps) < 1e-6 * np.abs(steps).max())


def _product(model: onnx.ModelProto, node: onnx.NodeProto, values: Any) -> onnx.NodeProto:
    """The node to stand before ``node``, which then sums."""
    name = f"{node.output[0]}.positions"
    ones = np.ones_like(values)
    model.graph.initializer.append(numpy_helper.from_array(values, name))
    model.graph.initializer.append(numpy_helper.from_array(ones, f"{name}.ones"))
    product = helper.make_node("Mul", [node.input[0], name], [f"{name}.product"], f"{node.name}.positions")
    node.input[0], node.input[1] = product.output[0], f"{name}.ones"
    return product


def with_reduced_sums(model: onnx.ModelProto) -> int:
    """Convolutions with ones, which are sums over channels, become reductions; returns how many did.

    Then all that is left under the name of convolutions is learned, and can be told from sums by its kind of operator.
    """
    weights = _constants(model)
    sums = [node for node in model.graph.node if node.op_type == "Conv" and _is_sum(weights.get(node.input[1]))]
    if sums:
        model.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "channels"))
    for node in sums:
        place = list(model.graph.node).index(node)
        copies, result = len(weights[node.input[1]]), node.output[0]
        one = result if copies == 1 else f"{result}.one"
        model.graph.node.remove(node)
        model.graph.node.insert(place, helper.make_node("ReduceSum", [node.input[0], "channels"], [one], node.name))
        if copies > 1:
            joined = helper.make_node("Concat", [one] * copies, [result], f"{node.name}.copies", axis=1)
            model.graph.node.insert(place + 1, joined)
    return len(sums)


def _is_sum(values: Any) -> bool:
    return values is not None and values.shape[2:] == (1, 1) and values.shape[1] > 1 and bool((values == 1).all())


def with_safe_roots(model: onnx.ModelProto) -> int:
    """The root of a sum and a small constant gets the constant's root as its least value; returns how many did.

    That changes nothing, unless the sum is rounded: then the constant vanishes, and 0 is divided by 0.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    constants = _constants(model)
    bounded = {name for node in model.graph.node if node.op_type == "Max" for name in node.input}
    roots = [
        (node, addend)
        for node in model.graph.node
        if node.op_type == "Sqrt"
        and node.output[0] not in bounded
        and (addend := _addend(makers.get(node.input[0]), constants)) is not None
    ]
    for node, addend in roots:
        result = node.output[0]
        node.output[0] = f"{result}.root"
        least = numpy_helper.from_array(np.sqrt(addend).astype(np.float32), f"{result}.least")
        model.graph.initializer.append(least)
        bound = helper.make_node("Max", [node.output[0], least.name], [result], f"{node.name}.bounded")
        model.graph.node.insert(list(model.graph.node).index(node) + 1, bound)
    return len(roots)


def _constants(model: onnx.ModelProto) -> dict[str, Any]:
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _addend(node: onnx.NodeProto | None, constants: Mapping[str, Any]) -> Any:
    """The one positive number that ``node`` adds, or None."""
    if node is None or node.op_type != "Add":
        return None
    numbers = [constants[name] for name in node.input if name in constants and constants[name].size == 1]
    return numbers[0].reshape(()) if numbers and numbers[0].item() > 0 else None
