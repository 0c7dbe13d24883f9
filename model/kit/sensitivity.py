"""Which layers 8 bits hurt: each in turn is rounded to 256 levels, and the change of the outputs is measured.

The NPU's compiler rounds every layer's output. Rounding one at a time on a host shows where 16 bits are worth it; it
says nothing of how errors add up, for which the compiler's own precision analysis is there.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from .arithmetic import Tensors, ranges, session_of

ROUNDED = frozenset(["Conv", "ConvTranspose", "MatMul", "Softmax", "Resize", "GridSample", "Sigmoid"])


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What rounding the output of one layer does."""

    layer: str
    op: str
    change: float  # mean absolute change of the first output, in its standard deviations


def measure(model: onnx.ModelProto, inputs: Tensors) -> list[Sensitivity]:
    """All layers of the kinds in ROUNDED, the most sensitive first; the ranges are those of ``inputs``."""
    first = model.graph.output[0].name
    layers = [node for node in model.graph.node if node.op_type in ROUNDED and node.output[0] != first]
    limits = ranges(model, [inputs])
    reference = _first_output(model, inputs)
    spread = float(reference.std()) or 1.0
    found = []
    for node in layers:
        changed = _first_output(_with_rounding(model, node.output[0], *limits[node.output[0]]), inputs)
        found.append(Sensitivity(node.name, node.op_type, float(np.abs(changed - reference).mean()) / spread))
    return sorted(found, key=lambda one: -one.change)


def _first_output(model: onnx.ModelProto, inputs: Tensors) -> npt.NDArray[np.float32]:
    return np.asarray(session_of(model).run([model.graph.output[0].name], dict(inputs))[0], np.float32)


def _with_rounding(model: onnx.ModelProto, name: str, low: float, high: float) -> onnx.ModelProto:
    scale = (high - low) / 255 or 1.0
    rounded = copy.deepcopy(model)
    for node in rounded.graph.node:
        for place, one in enumerate(node.input):
            if one == name:
                node.input[place] = f"{name}.rounded"
    values = {"scale": np.float32(scale), "zero": np.uint8(round(-low / scale))}
    rounded.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(value), f"{name}.{key}") for key, value in values.items()
    )
    constants = [f"{name}.scale", f"{name}.zero"]
    pair = [
        onnx.helper.make_node("QuantizeLinear", [name, *constants], [f"{name}.levels"]),
        onnx.helper.make_node("DequantizeLinear", [f"{name}.levels", *constants], [f"{name}.rounded"]),
    ]
    place = next(k for k, node in enumerate(rounded.graph.node) if name in node.output) + 1
    for node in reversed(pair):
        rounded.graph.node.insert(place, node)
    return rounded
