"""What a library exports, read from its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_device.runtime.engines.ax import abi as ax_abi
from roma_device.runtime.engines.axcl import abi as axcl_abi
from tests.standin.build import build, compiler

from .elf import NotALibrary, exported

ROOT = Path(__file__).parent.parent.parent
needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-ins, one of them without a function that is needed."""
    folder = tmp_path_factory.mktemp("libraries")
    for name in ("libaxcl_rt.so", "libax_sys.so", "libax_engine.so"):
        build(name, folder, "-DBROKEN_SDK")
    return folder


def call(*paths: Path) -> subprocess.CompletedProcess[str]:
    words = [word for path in paths for word in ("--library", str(path))]
    program = [sys.executable, "-m", "tests.abi", *words]
    return subprocess.run(program, capture_output=True, text=True, check=False, cwd=ROOT)


@needs_compiler
def test_exports_of_the_standins(folder: Path) -> None:
    assert set(axcl_abi.PROTOTYPES) <= exported(folder / "libaxcl_rt.so")
    assert set(ax_abi.SYS_PROTOTYPES) <= exported(folder / "libax_sys.so")
    assert set(ax_abi.ENGINE_PROTOTYPES) - exported(folder / "libax_engine.so") == {"AX_ENGINE_RunSyncV2"}
    assert "AX_SYS_Init" not in exported(folder / "libax_engine.so"), "what it takes from others it does not export"


@needs_compiler
def test_command_on_libraries(folder: Path) -> None:
    ended = call(folder / "libaxcl_rt.so", folder / "libax_sys.so")
    assert ended.returncode == 0 and ended.stdout.endswith("all agrees\n")
    ended = call(folder / "libax_engine.so")
    assert ended.returncode == 1 and "libax_engine.so: has no AX_ENGINE_RunSyncV2" in ended.stdout


def test_command_on_what_is_no_library(tmp_path: Path) -> None:
    (tmp_path / "libax_sys.so").write_text("text")
    (tmp_path / "other.so").write_text("text")
    ended = call(tmp_path / "libax_sys.so", tmp_path / "other.so", tmp_path / "libaxcl_rt.so")
    assert ended.returncode == 1 and ended.stderr == ""
    for words in ("libax_sys.so: not an ELF file", "the name tells not which", "No such file"):
        assert words in ended.stdout


@given(st.binary(max_size=300), st.booleans())
def test_no_file_can_do_harm(tmp_path_factory: pytest.TempPathFactory, data: bytes, starts_well: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "any.so"
    path.write_bytes((b"\x7fELF\x02\x01\x01" if starts_well else b"") + data)
    try:
        assert exported(path) == set()
    except NotALibrary as error:
        assert str(error)
