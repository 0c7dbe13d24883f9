"""Protocol-buffer wire format: fields of a message, without a schema, and open input sizes of a model fixed in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roma_device.calibration.arrays import Size

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Field = tuple[int, int, int | memoryview]
"""Number, wire type, value; FIXED32 and FIXED64 are given as their bytes."""

_SIZES = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT_BITS = 70


class ProtobufError(ValueError):
    """Bytes that are no message, or not all of it."""


def read_fields(data: memoryview) -> Iterator[Field]:
    """The fields of a message in their order; raises ProtobufError where it is cut off or not a message."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, position = _varint(data, position)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, position = _varint(data, position)
        elif wire in _SIZES:
            size = _SIZES[wire]
        else:
            raise ProtobufError(f"byte {position} begins nothing that is known")
        if number == 0 or position + size > len(data):
            raise ProtobufError(f"a field at byte {position} takes {size} bytes, {len(data) - position} are left")
        yield number, wire, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < _MAX_VARINT_BITS:
        byte = data[position]
        value, position, shift = value | (byte & 0x7F) << shift, position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise ProtobufError(f"a number at byte {position} does not end")


def message_field(number: int, wire: int, value: int | memoryview | bytes) -> bytes:
    """A field as it stands in a message: what ``read_fields`` reads."""
    key = _as_varint(number << 3 | wire)
    if isinstance(value, int):
        return key + _as_varint(value)
    return b"".join((key, _as_varint(len(value)) if wire == BYTES else b"", value))


def _as_varint(value: int) -> bytes:
    return _padded_varint(value, max(1, -(-value.bit_length() // 7)))


def signed(value: int) -> int:
    """An int32 or int64 field: negative ones are stored modulo 2 ** 64."""
    return value - (1 << 64) if value >= 1 << 63 else value


def packed(value: int | memoryview) -> list[int]:
    """A repeated int64 field, packed into bytes or a single entry of it."""
    if isinstance(value, int):
        return [signed(value)]
    numbers, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        numbers.append(signed(number))
    return numbers


_GRAPH, _INPUT, _TYPE, _TENSOR, _SHAPE, _DIMENSION = 7, 11, 2, 1, 2, 1
"""Field numbers from the model down to a dimension (onnx.proto3)."""
_NAMED, _VALUE_TAG = 2, 0x08
"""Field number of a dimension's name; tag of its number."""


def with_input_size(data: bytes, size: Size) -> bytes:
    """``data``, a serialized model, with its inputs' open height and width fixed to those of images of ``size``.

    For readers that guess at what is open: OpenCV 4.10 takes it for 0, and finds sizes that do not fit together.
    Raises ProtobufError where ``data`` is no message.
    """
    copy = bytearray(data)
    for value in _inside([memoryview(copy)], _GRAPH, _INPUT):
        dimensions = list(_inside([value], _TYPE, _TENSOR, _SHAPE, _DIMENSION))
        for dimension, length in zip(dimensions[-2:], size[::-1], strict=False):
            name = next((bytes(part) for number, _, part in read_fields(dimension) if number == _NAMED), None)
            if name is not None:
                fixed = _padded_varint(length // divisor_of(name.decode("utf-8", "replace")), len(dimension) - 1)
                dimension[:] = bytes([_VALUE_TAG]) + fixed
    return bytes(copy)


def divisor_of(name: str) -> int:
    """Which part of the image's height or width an open dimension of this name is: 4 for "height_4", else 1."""
    found = re.fullmatch(r".*_([1-9][0-9]{0,2})", name)
    return 1 if found is None else int(found[1])


def _inside(messages: list[memoryview], *path: int) -> Iterator[memoryview]:
    """The messages that lie in ``messages`` under these field numbers, one below the other."""
    if not path:
        yield from messages
        return
    for message in messages:
        parts = [part for number, _, part in read_fields(message) if number == path[0] and isinstance(part, memoryview)]
        yield from _inside(parts, *path[1:])


def _padded_varint(value: int, length: int) -> bytes:
    """``value`` in so many bytes: seven bits in each, and a mark on all but the last."""
    return bytes((value >> 7 * k) & 0x7F | (0x80 if k < length - 1 else 0) for k in range(length))
