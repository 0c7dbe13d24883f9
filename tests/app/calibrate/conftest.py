"""Pairs of a simulated rig with the board, rendered once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner, Result

from roma_device.app.cameras.simulated import SimulatedCamera
from roma_device.app.cli import cli
from roma_device.calibration.errors import RomaError

BOARD = "chessboard:9x6:30mm"
Run = Callable[..., Result]


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """left/ and right/ with the first 12 stations of the tour."""
    folder = tmp_path_factory.mktemp("pairs")
    with SimulatedCamera.from_spec("board?fps=2&seed=1&frames=12") as camera:
        for frame in camera.frames():
            for side, image in (("left", frame.left.image), ("right", frame.right.image)):
                (folder / side).mkdir(exist_ok=True)
                cv2.imwrite(str(folder / side / f"{frame.left.sequence:02}.png"), image)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The command line with a store of its own; what it raises for the user is in ``exception``."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)

    def call(*words: str | Path) -> Result:
        return CliRunner().invoke(cli, ["-q", *map(str, words)], standalone_mode=False)

    return call


def sentence(result: Result) -> str:
    """The one sentence that the user is told."""
    assert isinstance(result.exception, RomaError), result.output
    text = str(result.exception)
    assert "\n" not in text
    return text


def copied(folder: Path, target: Path, names: Sequence[str]) -> Path:
    """A few pairs in a folder of their own."""
    for side in ("left", "right"):
        (target / side).mkdir(parents=True)
        for name in names:
            (target / side / name).write_bytes((folder / side / name).read_bytes())
    return target
