"""Linear ``Resize`` of maps of one row or column, in a form that OpenCV 5 computes rightly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from roma_device.calibration.arrays import Size

from .graph import Node, read_onnx
from .protobuf import BYTES, VARINT, message_field, read_fields
from .shapes import infer

_GRAPH, _NODE = 7, 1  # of ModelProto, GraphProto
_INPUT, _OUTPUT, _OP, _ATTRIBUTE = 1, 2, 4, 5  # of NodeProto
_NAME, _INTEGER, _INTEGERS, _TYPE = 1, 3, 8, 20  # of AttributeProto
_IS_INTEGER, _IS_INTEGERS = 2, 7  # AttributeProto.AttributeType
_SIZES_PLACE = 3


def with_doubled_rows(data: bytes, size: Size, path: Path) -> bytes:
    """``data``, an ONNX file for images of ``size``, where such a map is doubled before it is resized.

    OpenCV 5.0 reads beyond a map of one row (or column) and gives noise, another one each time. Two equal rows have
    the same values between them; where the scales would make twice as many rows of them, a maximum takes every second.
    Raises ModelError where ``data`` is no ONNX file.
    """
    graph = read_onnx(data, path)
    shapes = infer(graph.with_size(size)).shapes
    single = {
        node.outputs[0]: [axis for axis in (2, 3) if shapes[node.inputs[0]][axis] == 1]
        for node in graph.nodes
        if node.op == "Resize"
        and node.attributes.get("mode") == "linear"
        and len(shapes.get(node.inputs[0], ())) == len("NCHW")
        and 1 in shapes[node.inputs[0]][2:]
    }
    if not single:
        return data
    nodes = {node.outputs[0]: node for node in graph.nodes if node.outputs}
    return b"".join(
        message_field(number, wire, _graph(value, nodes, single) if number == _GRAPH else value)
        for number, wire, value in read_fields(memoryview(data))
    )


def _graph(data: int | memoryview, nodes: dict[str, Node], single: dict[str, list[int]]) -> bytes:
    assert isinstance(data, memoryview)
    parts: list[bytes] = []
    for number, wire, value in read_fields(data):
        output = _first_output(value) if number == _NODE else None
        if output in single:
            assert output is not None and isinstance(value, memoryview)
            parts += (message_field(_NODE, BYTES, node) for node in _replaced(value, nodes[output], single[output]))
        else:
            parts.append(message_field(number, wire, value))
    return b"".join(parts)


def _first_output(node: int | memoryview) -> str | None:
    assert isinstance(node, memoryview)
    return next((bytes(value).decode() for number, _, value in read_fields(node) if number == _OUTPUT), None)


def _replaced(data: memoryview, node: Node, axes: list[int]) -> Iterator[bytes]:
    """The nodes in the place of this Resize, whose input has one row or column along ``axes``."""
    source, output = node.inputs[0], node.outputs[0]
    for axis in axes:
        doubled = f"{output}.doubled_{axis}"
        yield _node("Concat", [source, source], doubled, _attribute("axis", axis))
        source = doubled
    is_by_scales = len(node.inputs) <= _SIZES_PLACE or not node.inputs[_SIZES_PLACE]
    resized = f"{output}.resized" if is_by_scales else output
    inputs = [source, *node.inputs[1:]]
    attributes = b"".join(
        message_field(number, wire, value) for number, wire, value in read_fields(data) if number == _ATTRIBUTE
    )
    yield _node("Resize", inputs, resized, attributes)
    if is_by_scales:
        step = [2 if axis in axes else 1 for axis in (2, 3)]
        yield _node("MaxPool", [resized], output, _attribute("kernel_shape", step) + _attribute("strides", step))


def _node(op: str, inputs: list[str], output: str, attributes: bytes) -> bytes:
    names = b"".join(message_field(_INPUT, BYTES, name.encode()) for name in inputs)
    own = message_field(_OUTPUT, BYTES, output.encode()) + message_field(_OP, BYTES, op.encode())
    return names + own + attributes


def _attribute(name: str, value: int | list[int]) -> bytes:
    """As a field of a node."""
    if isinstance(value, int):
        numbers, kind = message_field(_INTEGER, VARINT, value), _IS_INTEGER
    else:
        numbers, kind = b"".join(message_field(_INTEGERS, VARINT, number) for number in value), _IS_INTEGERS
    content = message_field(_NAME, BYTES, name.encode()) + numbers + message_field(_TYPE, VARINT, kind)
    return message_field(_ATTRIBUTE, BYTES, content)
