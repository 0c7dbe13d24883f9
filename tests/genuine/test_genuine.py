"""The check of a user's own libraries, on the stand-ins: they open the nodes that the genuine ones open."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.genuine.__main__ import NO_TIMER, Answers, Toolchain, asked, compared
from tests.standin.build import build, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
NODES = {"ROMA_STANDIN_NODES": "1"}


def stand_ins(folder: Path, monkeypatch: pytest.MonkeyPatch, tools: Toolchain) -> Path:
    monkeypatch.setenv("CC", tools.compiler)
    for library in ("libax_sys.so", "libax_engine.so"):
        build(library, folder)
    return folder


def test_the_timer_of_the_chip_is_what_a_program_without_the_right_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Toolchain("cc")
    folder, model = stand_ins(tmp_path, monkeypatch, tools), tmp_path / "a model"
    model.write_bytes(b"nothing")
    answers = [asked(tools, folder, [model], with_mem, **NODES) for with_mem in (True, False)]
    assert answers[0].init == 0 and answers[1].init == NO_TIMER and answers[0].version
    assert answers[0].types[str(model)][0] not in (0, 0xFFFFFFFF)
    lines = compared(*answers)
    assert all(line.startswith("ok") for line in lines) and "opens /dev/mem for writing" in lines[1]


@pytest.mark.slow
def test_libraries_of_a_board_run_through_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("qemu-aarch64-static") is None or shutil.which("aarch64-linux-gnu-gcc") is None:
        pytest.skip("neither qemu-user nor a cross compiler is on this machine")
    tools = Toolchain.cross()
    folder = stand_ins(tmp_path, monkeypatch, tools)
    assert asked(tools, folder, [], True, **NODES).init == 0
    assert asked(tools, folder, [], False, **NODES).init == NO_TIMER


def test_what_is_not_as_expected_fails_and_is_told(tmp_path: Path) -> None:
    lines = compared(Answers(init=0x800B0010), Answers(init=None))
    assert lines[0].startswith("FAIL") and "0x800B0010 (system: the driver is not ready" in lines[0]
    assert lines[1] == "FAIL without, 0x800B0210: nothing"
    done = subprocess.run(
        [sys.executable, "-m", "tests.genuine", "--libraries", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stderr == f"{tmp_path / 'libax_sys.so'} is not there\n"
