"""Layouts and numbers against those that were compiled from the vendor's headers (AXCL 3.10.2)."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from roma_device.runtime.engines import axcl_abi as abi
from tests.standin.control import Standin

LAYOUTS = {
    abi.IODims: (132, 4, {"dimCount": (0, 4), "dims": (4, 128)}),
    abi.DeviceList: (1028, 4, {"num": (0, 4), "devices": (4, 1024)}),
    abi.DeviceProperties: (
        240,
        8,
        {
            "swVersion": (0, 64),
            "uid": (64, 8),
            "pciDomain": (72, 4),
            "pciBusID": (76, 4),
            "pciDeviceID": (80, 4),
            "temperature": (84, 4),
            "totalMemSize": (88, 4),
            "freeMemSize": (92, 4),
            "totalCmmSize": (96, 4),
            "freeCmmSize": (100, 4),
            "cpuLoading": (104, 4),
            "npuLoading": (108, 4),
            "reserved": (112, 128),
        },
    ),
}


@pytest.mark.parametrize("struct", LAYOUTS, ids=lambda struct: struct.__name__)
def test_layout(struct: type[ctypes.Structure]) -> None:
    size, alignment, fields = LAYOUTS[struct]
    assert (ctypes.sizeof(struct), ctypes.alignment(struct)) == (size, alignment)
    found = {name: getattr(struct, name) for name, *_ in struct._fields_}
    assert {name: (field.offset, field.size) for name, field in found.items()} == fields


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x8030010B, "device: cannot open the device"),
        (0x80300181, "device: no card connected"),
        (0x80300184, "device: no such card"),
        (0x80300284, "context: no context bound"),
        (0x80300305, "stream: timed out"),
        (0x80300383, "stream: timed out"),
        (0x80300581, "memory: not memory of the card"),
        (0x80300702, "engine: null pointer"),
        (0x8030070C, "engine: execution failed"),
        (0x80300781, "engine: no such input"),
        (0x80307F7F, "runtime: error 0x7F"),
    ],
)
def test_meaning(code: int, words: str) -> None:
    assert abi.meaning(code).startswith(words)


def test_every_bound_function_is_in_the_standin(axcl: Standin) -> None:
    assert [name for name in abi.PROTOTYPES if not hasattr(axcl.library, name)] == []


def test_importing_touches_no_library() -> None:
    """In a process of its own: no vendor library is mapped, no file of a device is open."""
    program = (
        "import roma_device.runtime.engines.axcl, pathlib;"
        "assert 'axcl_rt' not in pathlib.Path('/proc/self/maps').read_text()"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout == b""
