"""Weights of an ONNX file that lie in other files: no hash of the card covers them, and their paths lead anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from roma_device.runtime.card import ModelError, ModelFile

from .protobuf import ProtobufError, read_fields

_GRAPH, _FUNCTIONS = 7, 25
_GRAPH_NODES, _INITIALIZERS, _SPARSE_INITIALIZERS, _FUNCTION_NODES = 1, 5, 15, 7
_ATTRIBUTES, _TENSORS, _GRAPHS, _SPARSE_TENSORS = 5, (5, 10), (6, 11), (22, 23)
_SPARSE_PARTS, _EXTERNAL_DATA, _DATA_LOCATION = (1, 2), 13, 14
"""Field numbers from the model down to a tensor (onnx.proto3)."""

DEEPEST = 50


def read_self_contained(file: ModelFile) -> bytes:
    """The bytes of an ONNX file that brings all of its weights; raises ModelError.

    What is no ONNX file at all is for its engine to refuse.
    """
    data = file.read()
    check_self_contained(data, file.path)
    return data


def check_self_contained(data: bytes, path: Path) -> None:
    """Raises ModelError where weights lie outside of ``data``."""
    try:
        is_external = any(_is_external(tensor) for tensor in _tensors_of_model(memoryview(data)))
    except ProtobufError:
        return
    if is_external:
        raise ModelError(
            f"{path} has weights in other files, which the card's hash does not cover: export it as one file "
            "(onnx.save without save_as_external_data)"
        )


def _parts(message: memoryview, *numbers: int) -> Iterator[memoryview]:
    for number, _, part in read_fields(message):
        if number in numbers and isinstance(part, memoryview):
            yield part


def _tensors_of_model(model: memoryview) -> Iterator[memoryview]:
    for graph in _parts(model, _GRAPH):
        yield from _tensors_of_graph(graph, 0)
    for function in _parts(model, _FUNCTIONS):
        for node in _parts(function, _FUNCTION_NODES):
            yield from _tensors_of_node(node, 0)


def _tensors_of_graph(graph: memoryview, depth: int) -> Iterator[memoryview]:
    if depth > DEEPEST:
        raise ProtobufError("graphs in graphs without end")
    yield from _parts(graph, _INITIALIZERS)
    yield from _dense_parts(graph, _SPARSE_INITIALIZERS)
    for node in _parts(graph, _GRAPH_NODES):
        yield from _tensors_of_node(node, depth)


def _tensors_of_node(node: memoryview, depth: int) -> Iterator[memoryview]:
    for attribute in _parts(node, _ATTRIBUTES):
        yield from _parts(attribute, *_TENSORS)
        yield from _dense_parts(attribute, *_SPARSE_TENSORS)
        for graph in _parts(attribute, *_GRAPHS):
            yield from _tensors_of_graph(graph, depth + 1)


def _dense_parts(message: memoryview, *numbers: int) -> Iterator[memoryview]:
    for sparse in _parts(message, *numbers):
        yield from _parts(sparse, *_SPARSE_PARTS)


def _is_external(tensor: memoryview) -> bool:
    fields = ((number, value) for number, _, value in read_fields(tensor))
    return any(number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value) for number, value in fields)
