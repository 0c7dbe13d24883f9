"""Dynamic input dimensions of an ONNX file set to fixed ones, in the file's own bytes."""

from __future__ import annotations

from collections.abc import Iterator

from roma_device.calibration.size import Size

from .protobuf import read_fields

_GRAPH, _INPUT, _TYPE, _TENSOR, _SHAPE, _DIMENSION = 7, 11, 2, 1, 2, 1
"""Field numbers from the model down to a dimension (onnx.proto3)."""
_NAMED, _VALUE_TAG = 2, 0x08
"""Field number of a dimension's name; tag of its number."""


def with_input_size(data: bytes, size: Size) -> bytes:
    """``data``, a serialized model, with its inputs' open height and width fixed to ``size``.

    For readers that guess at what is open: OpenCV 4.10 takes it for 0, and finds sizes that do not fit together.
    Raises ProtobufError where ``data`` is no message.
    """
    copy = bytearray(data)
    for value in _inside([memoryview(copy)], _GRAPH, _INPUT):
        dimensions = list(_inside([value], _TYPE, _TENSOR, _SHAPE, _DIMENSION))
        for dimension, length in zip(dimensions[-2:], size[::-1], strict=False):
            if any(number == _NAMED for number, _, _ in read_fields(dimension)):
                dimension[:] = bytes([_VALUE_TAG]) + _varint(length, len(dimension) - 1)
    return bytes(copy)


def _inside(messages: list[memoryview], *path: int) -> Iterator[memoryview]:
    """The messages that lie in ``messages`` under these field numbers, one below the other."""
    if not path:
        yield from messages
        return
    for message in messages:
        parts = [part for number, _, part in read_fields(message) if number == path[0] and isinstance(part, memoryview)]
        yield from _inside(parts, *path[1:])


def _varint(value: int, length: int) -> bytes:
    """``value`` in so many bytes: seven bits in each, and a mark on all but the last."""
    return bytes((value >> 7 * k) & 0x7F | (0x80 if k < length - 1 else 0) for k in range(length))
