"""The NPU's arithmetic on a host: a graph whose tensors are rounded as the vendor's compiler has them rounded.

Activations have one scale and zero point per tensor, from the least and the greatest value seen (MinMax), in 8 or 16
bits without sign; weights of convolutions 8 bits with sign, one scale per output channel; sums and biases are exact.
That is the scheme of Pulsar2, read from real builds in public reports (onnxsim, pull requests 1036 and 1354). What
the compiler does besides (fusing, its own approximations of divisions and exponentials) is not public.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

Tensors = Mapping[str, npt.NDArray[np.float32]]
Bits = Literal[8, 16]
Range = tuple[float, float]

_SHAPED = ["Concat", "DepthToSpace", "Flatten", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"]
MOVES = frozenset([*_SHAPED, "Gather", "Identity", "MaxPool"])
"""Operators that pass values on as they are; what Concat joins gets one range."""
FUSED = frozenset(["Clip", "Relu"])
"""What a convolution computes itself where nothing else reads its result."""
WEIGHTED = frozenset(["Conv", "ConvTranspose"])
OUTPUT_AXIS = {"Conv": 0, "ConvTranspose": 1}
LEVELS_OF_WEIGHTS = 127


@dataclass(frozen=True, slots=True)
class Precision:
    """Bits of the activations: of what convolutions take, and of all else, what they give included."""

    convolutions: Bits
    others: Bits


PRECISIONS = {"u8": Precision(8, 8), "mixed": Precision(8, 16), "u16": Precision(16, 16)}
"""Word in the command line -> bits; the weights have 8 in each. For "mixed" sums over channels must be reductions."""


def ranges(model: onnx.ModelProto, samples: Sequence[Tensors], wanted: Sequence[str] | None = None) -> dict[str, Range]:
    """Least and greatest value of each float tensor, or of those ``wanted``, over ``samples``, with 0 between them."""
    wide = copy.deepcopy(model)
    given = {value.name for value in model.graph.output}
    made = [name for node in model.graph.node for name in node.output] if wanted is None else wanted
    names = [name for name in made if name and name not in given]
    wide.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    names += [value.name for value in model.graph.output]
    session, found = session_of(wide), dict[str, Range]()
    for sample in samples:
        values = dict(zip(names, session.run(names, dict(sample)), strict=True)) | dict(sample)
        for name, value in values.items():
            if value.dtype == np.float32:
                low, high = found.get(name, (0.0, 0.0))
                found[name] = min(low, float(value.min())), max(high, float(value.max()))
    return found


def simulated(model: onnx.ModelProto, samples: Sequence[Tensors], precision: Precision) -> onnx.ModelProto:
    """A copy of ``model`` that rounds as the NPU does; ranges are those of ``samples``."""
    plain = _with_stored_constants(model)
    return _Rounding(plain, ranges(plain, samples), precision).model


def _with_stored_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without nodes of the kind Constant."""
    plain = copy.deepcopy(model)
    graph = plain.graph
    constants = [node for node in graph.node if node.op_type == "Constant"]
    for node in constants:
        tensor = onnx.TensorProto()
        tensor.CopyFrom(next(one.t for one in node.attribute if one.name == "value"))
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
        graph.node.remove(node)
    return plain


class _Rounding:
    """Rewires a graph so that each node reads the rounded forms of its tensors; ``model`` is the result."""

    def __init__(self, model: onnx.ModelProto, known: Mapping[str, Range], precision: Precision) -> None:
        self.model, self._ranges, self._precision = copy.deepcopy(model), known, precision
        graph = self.model.graph
        self._weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._readers = _readers(model.graph)
        self._outputs = {value.name for value in graph.output}
        self._forms: dict[tuple[str, Bits], str] = {}  # tensor, bits -> name of its rounded form
        self._done: list[onnx.NodeProto] = []
        for node in graph.node:
            self._add(node)
        for name in self._outputs:
            self._pair(_exact(name), name, precision.others, name)
        del graph.node[:]
        graph.node.extend(self._done)

    def _add(self, node: onnx.NodeProto) -> None:
        bits = self._precision.convolutions if node.op_type in WEIGHTED else self._precision.others
        for place, name in enumerate(node.input):
            node.input[place] = self._constant(node, place) if name in self._weights else self._read(node, name, bits)
        for place, name in enumerate(node.output):
            node.output[place] = self._own_name(name)
        self._done.append(node)

    def _is_sum(self, name: str) -> bool:
        """Whether ``name`` is what a convolution gives to a function that is computed with it, before any rounding."""
        maker, readers = self._makers.get(name), self._readers.get(name, [])
        is_fused = len(readers) == 1 and readers[0].op_type in FUSED and name not in self._outputs
        return is_fused and maker is not None and maker.op_type in WEIGHTED

    def _own_name(self, name: str) -> str:
        return _exact(name) if name in self._outputs else name

    def _read(self, node: onnx.NodeProto, name: str, bits: Bits) -> str:
        if name not in self._ranges or self._is_sum(name):
            return self._own_name(name)
        maker = self._makers.get(name)
        is_moved = maker is not None and maker.op_type in MOVES - {"Concat"}
        is_rounded = is_moved and bits == self._precision.others
        return self._own_name(name) if is_rounded else self._form(name, bits)

    def _form(self, name: str, bits: Bits) -> str:
        if (name, bits) not in self._forms:
            self._forms[name, bits] = f"{name}.{bits}"
            self._pair(self._own_name(name), f"{name}.{bits}", bits, name)
        return self._forms[name, bits]

    def _pair(self, name: str, rounded: str, bits: Bits, measured: str) -> None:
        """Nodes that make ``rounded`` of ``name``: to levels of the range of ``measured``, and back."""
        scale, zero = _scale(self._ranges.get(measured, (0.0, 0.0)), bits)
        low, high = np.float32(-zero), np.float32(2**bits - 1 - zero)
        constants = {"step": scale, "rate": np.float32(1 / scale), "low": low, "high": high}
        names = {key: f"{rounded}.{key}" for key in constants}
        self.model.graph.initializer.extend(
            numpy_helper.from_array(np.asarray(value, np.float32), names[key]) for key, value in constants.items()
        )
        steps = [("Mul", [names["rate"]]), ("Round", []), ("Clip", [names["low"], names["high"]])]
        for op, more in [*steps, ("Mul", [names["step"]])]:
            result = rounded if more == [names["step"]] else f"{rounded}.{op}"
            self._done.append(helper.make_node(op, [name, *more], [result], f"{result}/{op}"))
            name = result

    def _constant(self, node: onnx.NodeProto, place: int) -> str:
        """The rounded form of a constant: a weight, or one tensor of an operator; biases and sizes stay."""
        name = str(node.input[place])
        values = self._weights[name]
        if values.dtype != np.float32 or node.op_type in MOVES | {"Resize", "Pad", "Clip"}:
            return name
        if node.op_type in WEIGHTED:
            return self._stored(name, "s8", _weights(values, OUTPUT_AXIS[node.op_type])) if place == 1 else name
        if node.op_type == "MatMul":
            return self._stored(name, "s8", _weights(values, values.ndim - 1))
        bits = self._precision.others
        return self._stored(name, str(bits), _levels(values, bits))

    def _stored(self, name: str, kind: str, values: npt.NDArray[np.float32]) -> str:
        rounded = f"{name}.{kind}"
        if rounded not in self._weights:
            self._weights[rounded] = values
            self.model.graph.initializer.append(numpy_helper.from_array(values, rounded))
        return rounded


def _exact(name: str) -> str:
    """What a graph's output is called before it is rounded."""
    return f"{name}.exact"


def _readers(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    found: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found


def _scale(limits: Range, bits: Bits) -> tuple[np.float32, int]:
    """Step and zero point."""
    low, high = limits
    scale = np.float32((high - low) / (2**bits - 1)) or np.float32(1)
    return scale, round(-low / float(scale))


def _levels(values: npt.NDArray[np.float32], bits: Bits) -> npt.NDArray[np.float32]:
    scale, zero = _scale((min(float(values.min()), 0.0), max(float(values.max()), 0.0)), bits)
    levels = np.clip(np.round(values / scale), -zero, 2**bits - 1 - zero)
    return np.asarray(levels * scale, np.float32)


def _weights(values: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """To 8 bits with sign, one scale per output channel."""
    others = tuple(one for one in range(values.ndim) if one != axis)
    scale = np.abs(values).max(axis=others, keepdims=True) / LEVELS_OF_WEIGHTS
    scale[scale == 0] = 1
    return np.asarray(np.round(values / scale) * scale, np.float32)


def session_of(model: onnx.ModelProto) -> Any:
    """One thread of ONNX Runtime on ``model`` as it is written."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
