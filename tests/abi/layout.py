"""Sizes and offsets of C structs: as ctypes has them, as a compiler has them, and where they differ."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from roma_device.runtime.engines.ax import abi as ax_abi
from roma_device.runtime.engines.axcl import abi as axcl_abi

RECORDED = Path(__file__).parent / "recorded.json"
"""Layouts that were compiled from the vendor's headers; those themselves are not ours to pass on."""


@dataclass(frozen=True, slots=True)
class Family:
    """Headers that belong together, and our structs by the names that these have there; the first that is found."""

    headers: tuple[str, ...]
    structs: Mapping[tuple[str, ...], type[ctypes.Structure]]


AX = Family(
    ("ax_engine_api.h", "ax_sys_api.h"),
    {
        ("AX_ENGINE_NPU_ATTR_T",): ax_abi.NpuAttr,
        ("AX_ENGINE_HANDLE_EXTRA_T",): ax_abi.HandleExtra,
        ("AX_ENGINE_IOMETA_EX_T",): ax_abi.IoMetaEx,
        ("AX_ENGINE_IOMETA_T",): ax_abi.IoMeta,
        ("AX_ENGINE_IO_INFO_T",): ax_abi.IoInfo,
        ("AX_ENGINE_IO_BUFFER_T",): ax_abi.IoBuffer,
        ("AX_ENGINE_IO_SETTING_T",): ax_abi.IoSetting,
        ("AX_ENGINE_IO_T",): ax_abi.Io,
        ("AX_ENGINE_CMM_INFO_T", "AX_ENGINE_CMM_INFO"): ax_abi.CmmInfo,
        ("AX_PARTITION_INFO_T",): ax_abi.PartitionInfo,
        ("AX_CMM_PARTITION_INFO_T",): ax_abi.CmmPartitionInfo,
        ("AX_CMM_STATUS_T",): ax_abi.CmmStatus,
    },
)
AXCL = Family(
    ("axcl_rt.h",),
    {
        ("axclrtEngineIODims",): axcl_abi.IODims,
        ("axclrtDeviceList",): axcl_abi.DeviceList,
        ("axclrtDeviceProperties",): axcl_abi.DeviceProperties,
    },
)
FAMILIES = {"AX650": AX, "AX620E": AX, "AXCL": AXCL}
MAY_BE_RESERVED = {("AX_ENGINE_IO_T", "nParallelRun")}
"""Fields of one chip where another's headers have reserved words, which begin there."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One struct, in bytes."""

    size: int
    align: int
    fields: Mapping[str, tuple[int, int]]  # name -> offset and size

    @classmethod
    def of(cls, struct: type[ctypes.Structure]) -> Layout:
        found = {name: getattr(struct, name) for name, *_ in struct._fields_}
        fields = {name: (field.offset, field.size) for name, field in found.items()}
        return cls(ctypes.sizeof(struct), ctypes.alignment(struct), fields)


def recorded(family: str) -> dict[str, Layout]:
    """The layouts of RECORDED by the headers' names."""
    structs = json.loads(RECORDED.read_text())[family]
    return {
        name: Layout(size, align, {field: (offset, width) for field, (offset, width) in fields.items()})
        for name, (size, align, fields) in structs.items()
    }


def compiled(family: Family, folder: Path) -> dict[str, Layout]:
    """What the system's compiler makes of the headers in ``folder``; raises CalledProcessError with its words."""
    text = "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*.h")))
    names = {name: struct for names, struct in family.structs.items() if (name := _first_of(names, text))}
    program = _printer(
        family.headers, [(name, [n for n in _fields(struct) if _has(n, text)]) for name, struct in names.items()]
    )
    with tempfile.TemporaryDirectory() as work:
        source, binary = Path(work, "printer.c"), Path(work, "printer")
        source.write_text(program)
        # The headers have their reserved words on the boards' architecture alone; its layout rules are x86-64's.
        boards = [] if platform.machine() == "aarch64" else ["-D__aarch64__=1"]
        includes = [f"-I{path}" for path in sorted({path.parent for path in folder.rglob("*.h")})]
        compiler = shutil.which(os.environ.get("CC", "cc")) or "cc"
        subprocess.run(
            [compiler, *boards, *includes, "-w", str(source), "-o", str(binary)], check=True, capture_output=True
        )
        output = subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout
    return _parsed(output.splitlines())


def differences(family: Family, theirs: Mapping[str, Layout]) -> list[str]:
    """A sentence for each struct or field that is not where ours is; empty where all agree."""
    found = []
    for names, struct in family.structs.items():
        name = next((name for name in names if name in theirs), None)
        if name is None:
            found.append(f"{names[0]} is not in the headers")
        else:
            found += _differences(name, Layout.of(struct), theirs[name])
    return found


def _differences(name: str, ours: Layout, theirs: Layout) -> Iterable[str]:
    if (ours.size, ours.align) != (theirs.size, theirs.align):
        yield f"{name}: we have {ours.size} bytes aligned to {ours.align}, the headers {theirs.size} to {theirs.align}"
    shared_reserve = any((name, field) in MAY_BE_RESERVED for field in ours.fields.keys() - theirs.fields.keys())
    for field, place in ours.fields.items():
        reserve = shared_reserve and (field == "u64Reserved" or (name, field) in MAY_BE_RESERVED)
        if place != theirs.fields.get(field) and not reserve:
            yield f"{name}.{field}: we have {_text(place)}, the headers {_text(theirs.fields.get(field))}"
    for field in theirs.fields.keys() - ours.fields.keys():
        yield f"{name}.{field}: only the headers have it"


def _text(place: tuple[int, int] | None) -> str:
    return "no such field" if place is None else f"{place[1]} bytes at {place[0]}"


def _fields(struct: type[ctypes.Structure]) -> list[str]:
    return [name for name, *_ in struct._fields_]


def _has(word: str, text: str) -> bool:
    return re.search(rf"\b{word}\b", text) is not None


def _first_of(names: tuple[str, ...], text: str) -> str:
    return next((name for name in names if _has(name, text)), "")


def _printer(headers: Iterable[str], structs: Iterable[tuple[str, list[str]]]) -> str:
    lines = [
        "#include <stddef.h>",
        "#include <stdio.h>",
        *(f'#include "{header}"' for header in headers),
        "int main(void) {",
    ]
    for name, fields in structs:
        lines.append(f'printf("{name} %zu %zu\\n", sizeof({name}), _Alignof({name}));')
        for field in fields:
            lines.append(
                f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));'
            )
    return "\n".join([*lines, "return 0; }", ""])


def _parsed(lines: Iterable[str]) -> dict[str, Layout]:
    structs: dict[str, tuple[int, int]] = {}
    fields: dict[str, dict[str, tuple[int, int]]] = {}
    for line in lines:
        place, first, second = line.split()
        name, _, field = place.partition(".")
        if field:
            fields[name][field] = int(first), int(second)
        else:
            structs[name], fields[name] = (int(first), int(second)), {}
    return {name: Layout(*size, fields[name]) for name, size in structs.items()}
