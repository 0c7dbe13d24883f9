"""Header of a compiled model (.axmodel): chip, cores and compiler, read without the vendor's runtime.

A compiled file is an ONNX protobuf whose nodes are of type COMPILED_OP; what it was compiled for stands in the metadata
``extra_data``. Which field says what was read off 249 public files of compilers 1.7 to 4.1: the vendor documents none.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roma_device.runtime.card import ModelError

from .graph import Graph, TensorInfo, read_onnx
from .protobuf import BYTES, VARINT, ProtobufError, read_fields

COMPILED_OP = "neu mode"
"""Type of the nodes that run on the NPU in a compiled file; all others run on the CPU."""

ENCRYPTED_STARTS = (b"deadbeef", bytes.fromhex("deadbeef"))
_DOC_STRING, _METADATA = 6, 14  # of ModelProto
_KIND, _KIND_NUMBER, _CHIP = 4, 3, 5  # of extra_data: the kind is a message, its number absent where it is 0
_AX620E = 1  # absent in files for AX650


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """What a compiled file says of itself."""

    chip: str  # AX650 or AX620E, by its family
    kind: int  # 0, 1, 2: one, two or three cores; half of them or all on AX620E
    compiler: str  # such as "4.0, commit 64a0e58f", "" where it is not named
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    on_cpu: tuple[str, ...]  # operators that the NPU does not run

    @property
    def cores(self) -> str:
        words = ("half of the cores", "all cores") if self.chip == "AX620E" else ("1 core", "2 cores", "3 cores")
        return words[self.kind] if self.kind < len(words) else f"kind {self.kind}"


def is_encrypted(data: bytes | memoryview) -> bool:
    """Whether the compiler encrypted it: only the vendor's runtime can read on."""
    return any(bytes(data[: len(start)]) == start for start in ENCRYPTED_STARTS)


def is_compiled(graph: Graph) -> bool:
    return any(node.op == COMPILED_OP for node in graph.nodes)


def read_axmodel(data: bytes | memoryview, path: Path) -> CompiledModel:
    """Raises ModelError where ``data`` is encrypted or no compiled model; ``path`` is for messages alone."""
    if is_encrypted(data):
        raise ModelError(f"{path} is encrypted: its chip, cores and tensors are known to the vendor's runtime alone")
    graph = read_onnx(data, path)
    if not is_compiled(graph):
        raise ModelError(f"{path} is no compiled model: it has no node of type {COMPILED_OP!r}")
    try:
        doc, metadata = _annotations(memoryview(data))
        chip, kind = _target(metadata.get("extra_data", ""))
    except (ProtobufError, binascii.Error, ValueError) as error:
        raise ModelError(f"{path}: the compiler's notes in it are damaged ({error})") from None
    on_cpu = tuple(node.op for node in graph.nodes if node.op != COMPILED_OP)
    return CompiledModel(chip, kind, _compiler(doc), graph.inputs, graph.outputs, on_cpu)


def _annotations(data: memoryview) -> tuple[str, dict[str, str]]:
    doc, metadata = "", {}
    for number, _, value in read_fields(data):
        if number == _DOC_STRING and not isinstance(value, int):
            doc = bytes(value).decode("utf-8", "replace")
        elif number == _METADATA and not isinstance(value, int):
            entry = {key: bytes(text).decode() for key, _, text in read_fields(value) if not isinstance(text, int)}
            metadata[entry.get(1, "")] = entry.get(2, "")
    return doc, metadata


def _target(extra_data: str) -> tuple[str, int]:
    chip, kind = 0, 0
    for number, wire, value in read_fields(memoryview(base64.b64decode(extra_data, validate=True))):
        if (number, wire) == (_CHIP, VARINT) and isinstance(value, int):
            chip = value
        elif (number, wire) == (_KIND, BYTES) and not isinstance(value, int):
            numbers = {key: each for key, _, each in read_fields(value) if isinstance(each, int)}
            kind = numbers.get(_KIND_NUMBER, 0)
    return ("AX620E" if chip == _AX620E else "AX650"), kind


def _compiler(doc: str) -> str:
    """From "Pulsar2 Version: 4.0" and "Pulsar2 Commit: 64a0e58f", a line each."""
    found = dict(re.findall(r"(Version|Commit):\s*(\S+)", doc))
    return ", commit ".join(found[key] for key in ("Version", "Commit") if key in found)
