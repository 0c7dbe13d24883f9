"""Our structs against those of the vendor's headers, and the tool that compares them with a user's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from roma_device.runtime.engine import EngineError
from roma_device.runtime.engines import vendor
from roma_device.runtime.engines.ax import abi as ax_abi
from roma_device.runtime.engines.ax.library import load_libraries
from roma_device.runtime.engines.axcl import abi as axcl_abi
from roma_device.runtime.engines.vendor import load_library
from tests.standin.build import compiler

from .layout import AX, AXCL, FAMILIES, Family, Layout, compiled, differences, recorded

TYPES = Path(__file__).parent.parent / "standin" / "ax_types.h"
OWN_NAMES = {"AX_ENGINE_CMM_INFO_T": "CMM_INFO", "AX_PARTITION_INFO_T": "PARTITION_INFO"}
needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs a C compiler")


@pytest.mark.parametrize("family", FAMILIES)
def test_structs_equal_those_of_the_headers(family: str) -> None:
    assert differences(FAMILIES[family], recorded(family)) == []
    assert len(recorded(family)) == len(FAMILIES[family].structs)


def test_every_struct_of_the_bindings_is_compared() -> None:
    declared = {
        value
        for module in (ax_abi, axcl_abi)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, module.Structure) and value is not module.Structure
    }
    assert declared == {*AX.structs.values(), *AXCL.structs.values()}


def test_a_difference_is_told(family: Family = AX) -> None:
    theirs = recorded("AX650")
    theirs["AX_ENGINE_IO_T"] = Layout(120, 8, {**theirs["AX_ENGINE_IO_T"].fields, "nBatchSize": (32, 4)})
    del theirs["AX_CMM_STATUS_T"]
    assert differences(family, theirs) == [
        "AX_ENGINE_IO_T: we have 128 bytes aligned to 8, the headers 120 to 8",
        "AX_ENGINE_IO_T.nBatchSize: we have 4 bytes at 28, the headers 4 bytes at 32",
        "AX_CMM_STATUS_T is not in the headers",
    ]


def write_headers(folder: Path, types: str) -> Path:
    """Headers with the stand-in's structs under the vendor's names."""
    own = {
        names[0]: OWN_NAMES.get(names[0], names[0].removeprefix("AX_ENGINE_").removesuffix("_T"))
        for names in AX.structs
    }
    own |= {"AX_CMM_PARTITION_INFO_T": "CMM_PARTITION_INFO", "AX_CMM_STATUS_T": "CMM_STATUS"}
    (folder / "types.h").write_text(types)
    lines = ['#include "types.h"', *(f"typedef {mine} {theirs};" for theirs, mine in own.items())]
    (folder / "ax_engine_api.h").write_text("#pragma once\n" + "\n".join(lines) + "\n")
    (folder / "ax_sys_api.h").write_text("#pragma once\n")
    return folder


@needs_compiler
def test_headers_of_a_user(tmp_path: Path) -> None:
    """Here the stand-in's own: which proves too that its structs are the vendor's."""
    assert differences(AX, compiled(AX, write_headers(tmp_path, TYPES.read_text()))) == []


@needs_compiler
def test_command_on_headers_that_differ(tmp_path: Path) -> None:
    types = TYPES.read_text().replace("uint64_t u64Reserved[18]", "uint64_t u64Reserved[17]")
    types = "\n".join(line for line in types.splitlines() if "_Static_assert" not in line)
    write_headers(tmp_path, types)
    ended = call("--headers", str(tmp_path))
    assert ended.returncode == 1 and ended.stderr == ""
    assert "AX_ENGINE_IOMETA_EX_T: we have 152 bytes aligned to 8, the headers 144 to 8" in ended.stdout


@needs_compiler
def test_command_on_headers_that_do_not_compile(tmp_path: Path) -> None:
    write_headers(tmp_path, "#error not these\n")
    ended = call("--headers", str(tmp_path))
    assert ended.returncode == 1 and "the compiler does not take the headers" in ended.stdout and ended.stderr == ""


def test_command_without_anything_compares_what_is_recorded(tmp_path: Path) -> None:
    ended = call()
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "all agrees")
    ended = call("--headers", str(tmp_path))
    assert ended.returncode == 1 and "neither ax_engine_api.h nor axcl_rt.h is in it" in ended.stdout


def call(*words: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parent.parent.parent
    program = [sys.executable, "-m", "tests.abi", *words]
    return subprocess.run(program, capture_output=True, text=True, check=False, cwd=root)


def test_32_bit_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "POINTER_BYTES", 4)
    message = "needs a 64-bit Python: this one has 32 bit, for which its structures are laid out otherwise"
    with pytest.raises(EngineError, match=f"libax_sys.so {message}"):
        load_libraries(None)
    with pytest.raises(EngineError, match=f"libaxcl_rt.so {message}"):
        load_library(axcl_abi.LIBRARY)
