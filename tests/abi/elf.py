"""What a shared library exports, read from its file: nothing of it is loaded or run, whatever machine it is for."""

from __future__ import annotations

import struct
from pathlib import Path

MACHINES = {183: "aarch64", 62: "x86-64", 40: "arm (32 bit)", 258: "loongarch64"}
_DYNAMIC_SYMBOLS, _SYMBOL_BYTES = 11, 24
_HEADER, _SECTION = "<16sHHIQQQIHHHHHH", "<IIQQQQIIQQ"


class NotALibrary(ValueError):
    """A file that is no 64-bit ELF library of this byte order."""


def machine(data: bytes) -> str:
    """What the library is for; raises NotALibrary for 32 bit too, where the structs are laid out otherwise."""
    if data[:4] != b"\x7fELF" or len(data) < struct.calcsize(_HEADER):
        raise NotALibrary("not an ELF file")
    if data[4] != 2 or data[5] != 1:
        raise NotALibrary("not for 64-bit little-endian machines, which alone are supported")
    number = struct.unpack_from("<H", data, 18)[0]
    return MACHINES.get(number, f"machine {number}")


def exported(path: Path) -> set[str]:
    """Names of all functions and variables that the library gives to others; raises NotALibrary."""
    data = path.read_bytes()
    machine(data)
    try:
        return _symbols(data, _sections(data))
    except (struct.error, IndexError, ValueError):
        raise NotALibrary("damaged: its tables lead nowhere") from None


def _sections(data: bytes) -> list[tuple[int, ...]]:
    header = struct.unpack_from(_HEADER, data)
    offset, size, count = header[6], header[11], header[12]
    return [struct.unpack_from(_SECTION, data, offset + index * size) for index in range(count)]


def _symbols(data: bytes, sections: list[tuple[int, ...]]) -> set[str]:
    names: set[str] = set()
    for section in sections:
        if section[1] != _DYNAMIC_SYMBOLS:
            continue
        begin, size, strings = section[4], section[5], sections[section[6]][4]
        for place in range(begin, begin + size, _SYMBOL_BYTES):
            name, _info, _other, defined_in = struct.unpack_from("<IBBH", data, place)
            if defined_in:
                names.add(data[strings + name : data.index(b"\0", strings + name)].decode())
    return names
