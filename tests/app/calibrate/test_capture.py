"""Guided capture end to end at the simulated camera: headless, in a terminal, interrupted and gone on with."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import numpy as np
import pytest

from roma_device.app.calibrate.guided.live_page import LivePage
from roma_device.app.calibrate.guided.screen import CaptureState, screen_lines
from roma_device.calibration.formats.exchange import load_calibration
from roma_device.calibration.store import CalibrationStore

from .conftest import BOARD, Run, sentence

CAMERA = "simulated:board?fps=4&seed=2"
STATE = CaptureState(
    "aprilgrid:6x6:88mm:0.3",
    "/a/folder/with/quite/a/long/name/" * 4,
    7,
    24,
    36,
    "left and right are 12.0 ms apart: the cameras are out of step",
    False,
    "hold the board into the upper left of the right image",
    (0.5, 0.25),
    tuple([[row * column % 6 for column in range(8)] for row in range(6)] for _ in range(2)),  # type: ignore[arg-type]
    dict.fromkeys(("right away", "left away", "bottom away", "top away", "straight"), 20),
    {"near": 12, "middle": 9, "far": 0},
    (0.3, 0.7),
)


def words(session: Path, output: Path, pairs: int = 6) -> list[str]:
    options = ["--camera", CAMERA, "--board", BOARD, "--pairs", str(pairs), "--lens", "plumb_bob"]
    return ["calibrate", *options, "--session", str(session), "--output", str(output)]


@pytest.mark.slow
def test_a_capture_without_a_terminal_ends_by_itself_and_can_be_gone_on_with(run: Run, tmp_path: Path) -> None:
    first = run(*words(tmp_path / "session", tmp_path / "rig.yaml"))
    assert first.exception is None, first.output
    assert load_calibration(tmp_path / "rig.yaml").baseline_m == pytest.approx(0.12, rel=0.01)
    taken = sorted(path.name for path in (tmp_path / "session" / "left").iterdir())
    assert len(taken) >= 6
    (tmp_path / "session" / "left" / "0099.png").write_bytes(b"half a pair")
    again = run(*words(tmp_path / "session", tmp_path / "again.yaml"))
    assert again.exception is None, again.output
    assert load_calibration(tmp_path / "again.yaml").left.fx == load_calibration(tmp_path / "rig.yaml").left.fx
    other = words(tmp_path / "session", tmp_path / "x.yaml")
    other[4] = "chessboard:8x6:30mm"
    assert "is of chessboard:9x6:30mm" in sentence(run(*other))


def test_a_camera_that_ends_too_early_leaves_its_pairs(run: Run, tmp_path: Path) -> None:
    options = words(tmp_path / "session", tmp_path / "rig.yaml")
    options[2] += "&frames=4"
    assert "the camera ended after 2 usable pairs" in sentence(run(*options))
    assert len(list((tmp_path / "session" / "right").iterdir())) == 2


def start_in_terminal(arguments: Sequence[str], folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The program in a terminal of 80x24 without a display; its process and the terminal's other end."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"TERM": "xterm", "XDG_STATE_HOME": str(folder), "COLUMNS": "80", "LINES": "24"}
    command = [sys.executable, "-c", "from roma_device.app.cli import main; main()", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    return process, ours


def follow(process: subprocess.Popen[bytes], terminal: int, until: Path | None, pairs: int) -> str:
    """Read what the terminal shows until so many pairs are on disk, or to the end."""
    shown, deadline = b"", time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                break
        if until is not None and len(list(until.glob("right/*.png"))) >= pairs:
            break
    return shown.decode("utf-8", "replace")


@pytest.mark.slow
def test_in_a_terminal_of_80x24_interrupted_at_every_stage(tmp_path: Path) -> None:
    session, output = tmp_path / "session", tmp_path / "rig.yaml"
    for pairs, number, code in (
        (0, signal.SIGINT, 130),
        (2, signal.SIGTERM, 130),
        (3, signal.SIGKILL, -9),
        (5, signal.SIGINT, 130),
    ):
        kept = len(list(session.glob("right/*.png")))  # by the one before: a new pair shows that this one is at work
        process, terminal = start_in_terminal(words(session, output, 40), tmp_path)  # more than it will get
        follow(process, terminal, session, max(pairs, kept + 1) if pairs else 0)
        if pairs == 0:
            time.sleep(2)
        process.send_signal(number)
        follow(process, terminal, None, 0)
        assert process.wait(30) == code
        os.close(terminal)
        assert len(list(session.glob("left/*.png"))) >= pairs
        assert not output.exists()
    process, terminal = start_in_terminal(words(session, output, 8), tmp_path)
    shown = follow(process, terminal, None, 0)
    assert process.wait(60) in (0, 1)
    os.close(terminal)
    assert "next:" in shown
    assert "Verdict:" in shown
    assert load_calibration(output).baseline_m == pytest.approx(0.12, rel=0.01)


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (23, "23 of 24 pairs"),
        (24, "24 pairs, up to 12 more for missing views"),
        (35, "35 pairs, up to 1 more for missing views"),
        (36, "36 pairs"),
    ],
)
def test_the_count_never_exceeds_what_it_is_of(taken: int, said: str) -> None:
    state = replace(STATE, taken=taken)
    assert state.count == said and state.as_json()["count"] == said
    assert all(len(text) <= 80 for text, _ in screen_lines(state)[:-2])


def test_the_screen_fits_into_80x24() -> None:
    lines = screen_lines(STATE)
    assert len(lines) <= 22
    assert all(len(text) <= 80 for text, _ in lines[:-2])
    assert any("[]" in text for text, _ in lines)


@pytest.fixture
def page() -> Iterator[LivePage]:
    with LivePage(0) as page:
        yield page


def test_the_page_serves_state_and_pictures(page: LivePage) -> None:
    image = np.full((400, 640), 90, np.uint8)
    page.show(STATE, image, image)
    bodies = {
        name: urllib.request.urlopen(f"http://127.0.0.1:{page.port}/{name}", timeout=5).read()
        for name in ("", "state.json", "left.jpg", "right.jpg?123")
    }
    assert b"<!doctype html>" in bodies[""]
    assert b'"taken": 7' in bodies["state.json"]
    assert bodies["left.jpg"].startswith(b"\xff\xd8")
    assert bodies["right.jpg?123"].startswith(b"\xff\xd8")


@pytest.mark.slow
def test_a_browser_shows_the_page(page: LivePage) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    image = np.full((400, 640), 90, np.uint8)
    page.show(STATE, image, image)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom"]
    done = subprocess.run(
        [browser, *flags, f"http://127.0.0.1:{page.port}/"], capture_output=True, text=True, timeout=120, check=True
    )
    assert "7 of 24 pairs, left 50 %, right 25 % covered" in done.stdout
    assert "out of step" in done.stdout
    assert done.stdout.count("rgba(90, 220, 120") > 20


def test_nothing_is_stored_before_a_capture_ends(run: Run, tmp_path: Path) -> None:
    options = words(tmp_path / "session", tmp_path / "rig.yaml")[:-2]
    options[2] += "&frames=2"
    run(*options)
    assert CalibrationStore().versions() == []
