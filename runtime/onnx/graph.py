"""Parser of ONNX graphs without the package ``onnx``, which the device does not have."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelError

from .protobuf import ProtobufError, divisor_of, packed, read_fields, signed

Shape = tuple[int | None, ...]
Array = npt.NDArray[Any]

DTYPES: dict[int, str] = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
}
"""TensorProto.DataType -> numpy's name; others (strings, bfloat16) have none."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of the graph."""

    op: str
    name: str  # its own, or that of its first output
    inputs: tuple[str, ...]  # "" where an optional one is left out
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]  # int, float, str, tuples of them, or Array
    domain: str = ""  # "" or "ai.onnx": ONNX itself


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A value with its declared shape; None in it is open, and None for it unknown."""

    shape: Shape | None
    dtype: str
    divisors: tuple[int, ...] = ()  # which part of the image's size each open dimension is; empty: all of it


@dataclass(frozen=True, slots=True)
class Graph:
    """A file's graph."""

    nodes: tuple[Node, ...]
    weights: Mapping[str, Array]
    inputs: Mapping[str, TensorInfo]  # without those that are weights
    outputs: Mapping[str, TensorInfo]
    declared: Mapping[str, TensorInfo]  # values in between
    opset: int
    producer: str = ""

    @property
    def is_open_in_batch_alone(self) -> bool:
        """Whether the first dimension of inputs is all that is open."""
        shapes = [info.shape for info in self.inputs.values()]
        is_open = any(shape is not None and None in shape for shape in shapes)
        return is_open and all(shape is not None and shape and None not in shape[1:] for shape in shapes)

    def with_batch_of_1(self) -> Graph:
        """The same with 1 for an open first dimension."""
        filled = {
            name: TensorInfo(info.shape and tuple(1 if size is None else size for size in info.shape), info.dtype)
            for name, info in self.inputs.items()
        }
        nothing: dict[str, TensorInfo] = {}
        return Graph(self.nodes, self.weights, filled, self.outputs, nothing, self.opset, self.producer)

    def with_size(self, size: Size) -> Graph:
        """The same with its inputs' open dimensions as for images of ``size``, and a batch of 1."""
        filled = {name: TensorInfo(_filled(info, size), info.dtype) for name, info in self.inputs.items()}
        nothing: dict[str, TensorInfo] = {}
        return Graph(self.nodes, self.weights, filled, self.outputs, nothing, self.opset, self.producer)


def read_onnx(data: bytes | memoryview, path: Path) -> Graph:
    """Raises ModelError where ``data`` is not a whole ONNX file; ``path`` is for messages alone."""
    try:
        return _model(memoryview(data))
    except (ProtobufError, ValueError, IndexError, KeyError, struct.error, TypeError) as error:
        raise ModelError(f"{path}: not a whole ONNX file ({error}); export or copy it again") from None


def _filled(info: TensorInfo, size: Size) -> Shape | None:
    if info.shape is None or len(info.shape) != 4:
        return info.shape
    divisors = info.divisors or (1,) * 4
    whole = (1, 1, *(length // divisor for length, divisor in zip(size[::-1], divisors[2:], strict=True)))
    return tuple(open_size if known is None else known for known, open_size in zip(info.shape, whole, strict=True))


def _collect(data: memoryview) -> dict[int, list[Any]]:
    fields: dict[int, list[Any]] = {}
    for number, _, value in read_fields(data):
        fields.setdefault(number, []).append(value)
    return fields


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8")


def _model(data: memoryview) -> Graph:
    fields = _collect(data)
    if 7 not in fields:
        raise ProtobufError("it holds no graph")
    opsets = {_text(opset.get(1, [memoryview(b"")])[0]): int(opset[2][0]) for opset in map(_collect, fields.get(8, []))}
    graph = _collect(fields[7][-1])
    weights = dict(map(_tensor, graph.get(5, [])))
    inputs = {name: info for name, info in map(_value, graph.get(11, [])) if name not in weights}
    return Graph(
        tuple(map(_node, graph.get(1, []))),
        weights,
        inputs,
        dict(map(_value, graph.get(12, []))),
        dict(map(_value, graph.get(13, []))),
        max(opsets.get("", 0), opsets.get("ai.onnx", 0)),
        _text(fields[2][0]) if 2 in fields else "",
    )


def _node(data: memoryview) -> Node:
    fields = _collect(data)
    outputs = tuple(map(_text, fields.get(2, [])))
    name = _text(fields[3][0]) if 3 in fields else ""
    return Node(
        _text(fields[4][0]),
        name or (outputs[0] if outputs else "?"),
        tuple(map(_text, fields.get(1, []))),
        outputs,
        dict(map(_attribute, fields.get(5, []))),
        _text(fields[7][0]) if 7 in fields else "",
    )


def _attribute(data: memoryview) -> tuple[str, Any]:
    fields = _collect(data)
    name = _text(fields[1][0])
    for number, convert in _ATTRIBUTES.items():
        if number in fields:
            return name, convert(fields[number])
    return name, ()


def _floats(values: list[Any]) -> tuple[float, ...]:
    return tuple(float(x) for value in values for x in np.frombuffer(value, "<f4"))


def _integers(values: list[Any]) -> tuple[int, ...]:
    return tuple(number for value in values for number in packed(value))


_ATTRIBUTES: dict[int, Callable[[list[Any]], Any]] = {
    5: lambda values: _tensor(values[0])[1],
    2: lambda values: _floats(values)[0],
    3: lambda values: signed(values[0]),
    4: lambda values: _text(values[0]),
    7: _floats,
    8: _integers,
    9: lambda values: tuple(map(_text, values)),
    6: lambda values: "a graph",
}
"""Field of AttributeProto -> its value."""


def _value(data: memoryview) -> tuple[str, TensorInfo]:
    fields = _collect(data)
    name = _text(fields[1][0])
    tensor = _collect(_collect(fields[2][0]).get(1, [memoryview(b"")])[0]) if 2 in fields else {}
    dimensions = _collect(tensor[2][0]).get(1, []) if 2 in tensor else []
    shape = tuple(map(_dimension, dimensions)) if 2 in tensor else None
    return name, TensorInfo(shape, DTYPES.get(tensor.get(1, [0])[0], "unknown"), tuple(map(_divisor, dimensions)))


def _dimension(data: memoryview) -> int | None:
    fields = _collect(data)
    size = signed(fields[1][0]) if 1 in fields else -1
    return size if size >= 0 else None


def _divisor(data: memoryview) -> int:
    fields = _collect(data)
    return divisor_of(_text(fields[2][0])) if 2 in fields else 1


def _tensor(data: memoryview) -> tuple[str, Array]:
    """Weights whose values lie in another file, or of a type that numpy lacks, count as zeros of their shape."""
    fields = _collect(data)
    dims = _integers(fields.get(1, []))
    kind = DTYPES.get(fields.get(2, [1])[0], "uint8")
    name = _text(fields[8][0]) if 8 in fields else ""
    if 9 in fields:
        return name, _shaped(np.frombuffer(fields[9][0], np.dtype(kind).newbyteorder("<")), dims)
    if 4 in fields:
        return name, _shaped(np.asarray(_floats(fields[4]), kind), dims)
    for number in (5, 7):
        if number in fields:
            return name, _shaped(np.asarray(_integers(fields[number]), kind), dims)
    return name, np.broadcast_to(np.zeros((), kind), dims)


def _shaped(values: Array, dims: tuple[int, ...]) -> Array:
    return values.reshape(dims)
