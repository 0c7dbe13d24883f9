"""Writes files with the header of a compiled model, field by field."""

from __future__ import annotations

import base64


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, shape: tuple[int, ...], dtype: int = 1) -> bytes:
    dims = b"".join(field(1, field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, dims)))


def extra_data(kind: int = 0, chip: int = 0) -> str:
    """Numbers that are 0 are left out, as the format does; what else stands there is of no meaning here."""
    body = field(1, field(1, "left") + field(2, 1)) + field(2, "1")
    body += field(4, field(1, "x") + (field(3, kind) if kind else b"")) + (field(5, chip) if chip else b"")
    return base64.b64encode(body).decode()


DOC = "Pulsar2 Version: 4.0\nPulsar2 Commit: 64a0e58f"


def axmodel(kind: int = 0, chip: int = 0, doc: str = DOC, cpu: str = "", **changes: str) -> bytes:
    """``chip`` 1 is AX620E; ``cpu`` an operator that runs on the CPU."""
    nodes = [field(4, op) + field(3, op) for op in ("neu mode", cpu) if op]
    graph = b"".join(field(1, node) for node in nodes) + field(2, "graph")
    graph += b"".join(field(11, tensor(name, (1, 1, 64, 96))) for name in ("left", "right"))
    graph += field(12, tensor("disparity", (1, 1, 64, 96)))
    metadata = {"outputs_info": "[]", "extra_data": extra_data(kind, chip)} | changes
    entries = b"".join(field(14, field(1, key) + field(2, value)) for key, value in metadata.items())
    return field(1, 8) + field(2, "Pulsar2") + field(6, doc) + field(7, graph) + field(8, field(2, 16)) + entries
