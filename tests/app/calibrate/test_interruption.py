"""Signals while the solution is computed: nothing half done, nothing lost, and the next run ends as any other."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from roma_device.calibration.formats.own import load_calibration

from .conftest import BOARD, Run

PROGRAM = [sys.executable, "-c", "from roma_device.app.cli import main; main()", "-v"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def words(session: Path, output: Path) -> list[str | Path]:
    camera = ["--camera", "simulated:board?fps=4", "--board", BOARD, "--pairs", "12", "--lens", "plumb_bob"]
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


def test_signals_during_the_solution(run: Run, session: Path, tmp_path: Path) -> None:
    before, output = contents(session), tmp_path / "out" / "rig.yaml"
    output.parent.mkdir()
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = subprocess.Popen(
            [*PROGRAM, *map(str, words(session, output))], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None and process.stdout is not None
        assert any("solving 12 pairs" in line for line in process.stderr), "it ended before"
        process.send_signal(number)
        told = process.stderr.read()
        assert process.wait(30) == code
        assert told.count("\n") == 1
        assert told == (
            "stopped before the solution was there: nothing was saved; 12 pairs are kept; "
            f"go on with --session {session}\n"
        )
        assert process.stdout.read() == ""
        process.stdout.close()
        process.stderr.close()
        assert contents(session) == before
        assert list(output.parent.iterdir()) == []
    assert run(*words(session, output)).exception is None
    assert run(*words(session, tmp_path / "never-interrupted.yaml")).exception is None
    assert contents(session) == before
    resumed, expected = (load_calibration(path) for path in (output, tmp_path / "never-interrupted.yaml"))
    assert resumed.left.matrix.tolist() == expected.left.matrix.tolist()
    assert resumed.right_from_left.matrix.tolist() == expected.right_from_left.matrix.tolist()
