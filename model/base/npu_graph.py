"""Rewriting of a graph for the NPU's compiler, in place: it computes the same, and 8-bit weights do less harm."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

DEFAULTS: dict[str, dict[str, Any]] = {
    "Conv": {"auto_pad": "NOTSET", "dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0], "strides": [1, 1]},
    "Softmax": {"axis": -1},
}
DEFAULTS["ConvTranspose"] = DEFAULTS["Conv"] | {"output_padding": [0, 0]}
"""Operator -> attributes at ONNX's defaults for images: left out, they have crashed the compiler's front end."""

LEAST_POSITIONS = 8


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
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    rewritten = 0
    for place, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type != "Conv" or len(node.input) != 2 or node.input[1] not in weights:
            continue
        values = numpy_helper.to_array(weights[node.input[1]])
        if _counts_evenly(values):
            model.graph.node.insert(place, _product(model, node, values))
            rewritten += 1
    return rewritten


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
