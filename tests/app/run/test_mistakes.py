"""Twelve common mistakes: each gives the sentence that the table in docs/run.md has for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.run.narrator import warn_of_little
from roma_device.calibration.arrays import Image
from roma_device.calibration.formats.own import save_calibration
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.rectified_images import RectifiedImages
from roma_device.runtime.types import Frame, Matches, Result, StageTimes, StereoFrame
from tests.app.command_line import call
from tests.logged import logged

Pair = tuple[Image, Image]
Said = tuple[int, str]
Run = Callable[..., Said]

PAGE = Path(__file__).parents[3] / "docs" / "run.md"
TABLE = [line.split("|")[1:4] for line in PAGE.read_text().splitlines() if line.startswith("|")]
SENTENCES = {mistake.strip(): (said.strip().strip("`"), end.strip()) for mistake, said, end in TABLE}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run`` of a pair, or of what the words name, with a small network."""
    (tmp_path / "small.yaml").write_text("input_width: 192\nengine: opencv\n")

    def run_pair(left: Image | None, right: Image | None, *words: str) -> Said:
        for name, image in (("left", left), ("right", right)):
            if image is not None:
                cv2.imwrite(str(tmp_path / f"{name}.png"), image)
        camera = ["--camera", f"images:{tmp_path}"] if left is not None else []
        code, _, err = call(capsys, "run", "--config", str(tmp_path / "small.yaml"), *camera, *words)
        return code, err

    return run_pair


def check(mistake: str, found: Said) -> None:
    said, end = SENTENCES[mistake]
    code, err = found
    assert said in err and err.count("\n") == 1, err
    assert end == ("warning" if code == 0 else f"exit code {code}")


def test_the_page_has_twelve() -> None:
    assert sum(end == "warning" or end.startswith("exit code") for _, end in SENTENCES.values()) == 12


@pytest.mark.parametrize(
    ("mistake", "change"),
    [
        ("left and right swapped", lambda left, right: (right, left)),
        ("the same image twice", lambda left, right: (left, left)),
        ("a camera upside down", lambda left, right: (left, right[::-1, ::-1])),
        ("pairs that are not rectified", lambda left, right: (left, np.roll(right, 24, axis=0))),
        ("a covered lens", lambda left, right: (left, np.full_like(right, 7))),
    ],
)
def test_images_that_are_no_pair(run: Run, pair: Pair, mistake: str, change: Callable[..., Pair]) -> None:
    check(mistake, run(*change(*pair), "--rectified"))


def test_a_baseline_in_mm(run: Run, pair: Pair) -> None:
    check("baseline in mm", run(*pair, "--rectified", "--focal-px", "400", "--baseline-m", "60"))


def test_a_calibration_of_another_size(run: Run, pair: Pair, rig: StereoCalibration, tmp_path: Path) -> None:
    save_calibration(tmp_path / "rig.yaml", rig)
    check("calibration of another size", run(*pair, "--calibration", str(tmp_path / "rig.yaml")))


def test_a_camera_that_is_not_plugged_in(run: Run) -> None:
    check("a camera that is not plugged in", run(None, None, "--camera", "v4l2:/dev/none-left,/dev/none-right"))


def test_another_board(pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, image in zip(("left", "right"), pair, strict=True):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), image)
    code, _, err = call(capsys, "calibrate", "--images", str(tmp_path), "--board", "chessboard:9x6:25mm")
    check("another board than named (`calibrate`)", (code, err))


def test_a_calibration_that_is_no_longer_true(run: Run) -> None:
    camera = "simulated:room?size=320x200&frames=1&bump=pitch:1"
    check("a calibration that is no longer true", run(None, None, "--camera", camera))


def test_a_model_for_another_task(pair: Pair) -> None:
    left, right = pair
    frame = StereoFrame(Frame(left, 0, 0), Frame(right, 0, 0))
    certainty = np.ones(left.shape, np.float32)
    matches = Matches(certainty, None, np.zeros((*left.shape, 2), np.float32))
    times, images = StageTimes({"depth": 1.0}), RectifiedImages(left, right)
    with logged("WARNING") as lines:
        warn_of_little(Result(frame, 0, matches, certainty > 0, None, None, images, times), came_rectified=True)
    check("a model for another task", (0, "\n".join([*lines, ""])))


def test_an_empty_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check("an empty folder", run(None, None, "--rectified", "--camera", f"images:{tmp_path / 'empty'}"))
