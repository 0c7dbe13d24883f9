"""Protocol buffers as they go over the wire (https://protobuf.dev/programming-guides/encoding): writing alone."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from .schemas import ENUMS, MESSAGES, NUMBERS, Field, file_of, package_of

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def encode(name: str, values: Mapping[str, Any]) -> bytes:
    """The message ``name`` with these fields; those without a value are left out."""
    parts: list[bytes] = []
    for field in MESSAGES[name]:
        value = values.get(field.name)
        if value is not None:
            parts += _encoded(field, value)
    return b"".join(parts)


def _encoded(field: Field, value: Any) -> list[bytes]:
    if field.repeated and field.kind == "double":
        return _delimited(field.number, np.ascontiguousarray(value, "<f8").tobytes())
    return [part for one in (value if field.repeated else [value]) for part in _single(field, one)]


def _single(field: Field, value: Any) -> list[bytes]:
    if field.kind == "double":
        return [_key(field.number, FIXED64), struct.pack("<d", value)]
    if field.kind == "fixed32":
        return [_key(field.number, FIXED32), struct.pack("<I", value)]
    if field.kind in ("int64", "int32") or field.kind in ENUMS:
        return [_key(field.number, VARINT), varint(value)]
    if field.kind in ("string", "bytes"):
        return _delimited(field.number, value.encode() if isinstance(value, str) else value)
    return _delimited(field.number, encode(field.kind, value))


def _delimited(number: int, data: bytes) -> list[bytes]:
    return [_key(number, LENGTH), varint(len(data)), data]


def _key(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; ``value`` is at least 0."""
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def descriptor(name: str) -> bytes:
    """A FileDescriptorSet of the message ``name`` and all that it holds, one file each, what is held first."""
    return b"".join(part for each in _with_parts(name, []) for part in _delimited(1, _file(each)))


def _with_parts(name: str, found: list[str]) -> list[str]:
    for held in _held(name):
        _with_parts(held, found)
    if name not in found:
        found.append(name)
    return found


def _held(name: str) -> list[str]:
    return sorted({field.kind for field in MESSAGES[name] if field.kind in MESSAGES})


def _file(name: str) -> bytes:
    package, short = package_of(name)
    parts = [*_delimited(1, file_of(name).encode()), *_delimited(2, package.encode())]
    for held in _held(name):
        parts += _delimited(3, file_of(held).encode())
    message = [*_delimited(1, short.encode())]
    for field in MESSAGES[name]:
        message += _delimited(2, _field(field))
    for kind in dict.fromkeys(field.kind for field in MESSAGES[name] if field.kind in ENUMS):
        message += _delimited(4, _enum(kind))
    return b"".join([*parts, *_delimited(4, b"".join(message)), *_delimited(12, b"proto3")])


def _field(field: Field) -> bytes:
    parts = _delimited(1, field.name.encode())
    label = 3 if field.repeated else 1
    for number, value in (
        (3, field.number),
        (4, label),
        (5, NUMBERS.get(field.kind, 14 if field.kind in ENUMS else 11)),
    ):
        parts += [_key(number, VARINT), varint(value)]
    return b"".join(parts if field.kind in NUMBERS else [*parts, *_delimited(6, f".{field.kind}".encode())])


def _enum(kind: str) -> bytes:
    parts = _delimited(1, kind.rpartition(".")[2].encode())
    for number, name in enumerate(ENUMS[kind]):
        parts += _delimited(2, b"".join([*_delimited(1, name.encode()), _key(2, VARINT), varint(number)]))
    return b"".join(parts)
