"""Signals while the solution is computed: nothing half done, nothing lost, and the next run ends as any other."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from roma_device.calibration.formats.exchange import load_calibration

from .conftest import BOARD, Run

ENDLESS = """
import signal
from roma_device.app.calibrate import finish
from roma_device.app.cli import main

solve = finish.solve_rig
def solve_for_ever(*problem):
    while True:
        solve(*problem)
finish.solve_rig = solve_for_ever
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
"""The program, with a solution that is computed again and again: a signal cannot come after its end.

SIGINT counts as at a terminal; where the tests run in a shell's background, programs inherit that it is ignored.
"""

PATIENCE_S = 120

PROGRAM = [sys.executable, "-c", ENDLESS, "-v"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def words(session: Path, output: Path) -> list[str | Path]:
    camera = ["--camera", "simulated:board?fps=4", "--board", BOARD, "--pairs", "8", "--lens", "plumb_bob"]
    return ["calibrate", *camera, "--session", session, "--output", output]


@pytest.fixture
def session(pair_folder: Path, tmp_path: Path) -> Path:
    """A capture that took all its pairs and was then interrupted, as it lies on the disk."""
    folder = tmp_path / "session"
    for name, data in contents(pair_folder).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "session.yaml").write_text(yaml.safe_dump({"board": BOARD}))
    return folder


def interrupted(arguments: list[str | Path], number: signal.Signals) -> tuple[int, str]:
    """Exit code, and what was told from the signal on, which comes as soon as the solution is being computed."""
    command = [*PROGRAM, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        assert any("solving 12 pairs" in line for line in process.stderr), "it ended before"
        process.send_signal(number)
        try:
            said, told = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
        assert said == ""
    return process.returncode, told.strip()


@pytest.mark.slow
def test_signals_during_the_solution(run: Run, session: Path, tmp_path: Path) -> None:
    before, output = contents(session), tmp_path / "out" / "rig.yaml"
    output.parent.mkdir()
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        assert interrupted(words(session, output), number) == (
            code,
            "stopped before the solution was there: nothing was saved; 12 pairs are kept; "
            f"go on with --session {session}",
        )
        assert contents(session) == before
        assert list(output.parent.iterdir()) == []
    assert run(*words(session, output)).exception is None
    assert run(*words(session, tmp_path / "never-interrupted.yaml")).exception is None
    assert contents(session) == before
    resumed, expected = (load_calibration(path) for path in (output, tmp_path / "never-interrupted.yaml"))
    assert resumed.left.matrix.tolist() == expected.left.matrix.tolist()
    assert resumed.right_from_left.matrix.tolist() == expected.right_from_left.matrix.tolist()
