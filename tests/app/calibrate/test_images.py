"""``calibrate --images`` and ``calibration``: from a folder to a version in use, and every mistake in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.simulation.worlds.rigs import virtual_rig

from .conftest import BOARD, Run, copied, sentence

TWO = ("00.png", "03.png")


def test_a_folder_becomes_a_version_in_use_with_its_report(run: Run, pair_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = run("calibrate", "--images", pair_folder, "--board", BOARD, "--json", "--report", page, "--serial", "A1")
    assert result.exception is None
    report = json.loads(result.stdout)
    truth = virtual_rig((640, 400))
    assert report["verdict"] in ("good", "usable")
    assert report["estimates"]["baseline"]["value"] == pytest.approx(1000 * truth.baseline_m, rel=0.005)
    assert report["estimates"]["left_fx"]["value"] == pytest.approx(truth.left.fx, rel=0.003)
    assert report["epipolar_px"]["median"] < 0.15
    assert report["saved"] == {"file": report["saved"]["file"], "version": 1, "in_use": True}
    text = page.read_text()
    assert text.count("<svg") == 6
    assert "data:image/jpeg" in text
    assert "http" not in text.replace("http://www.w3.org", "")
    shown = json.loads(run("calibration", "show", "--json").stdout)
    assert shown["serial"] == "A1"
    assert shown["origin"]["board"] == BOARD
    assert shown["made_at"]
    assert "*    1" in run("calibration", "list").stdout


def test_an_output_is_not_overwritten_without_force(run: Run, pair_folder: Path, tmp_path: Path) -> None:
    taken = tmp_path / "rig.yaml"
    taken.write_text("mine")
    result = run("calibrate", "--images", pair_folder, "--board", BOARD, "--output", taken)
    assert "exists" in sentence(result)
    assert taken.read_text() == "mine"


def test_versions_are_imported_exported_used_and_rolled_back(run: Run, tmp_path: Path) -> None:
    from roma_device.calibration.formats.own import save_calibration

    for variant in range(2):
        save_calibration(tmp_path / f"{variant}.yaml", virtual_rig((640, 400), variant=variant))
        assert "stored as version" in run("calibration", "import", tmp_path / f"{variant}.yaml").stdout
        assert "in use" in run("calibration", "use", str(variant + 1)).stdout
    assert "back at version 1" in run("calibration", "rollback").stdout
    assert "written to" in run("calibration", "export", "--format", "ros", "--output", tmp_path / "ros").stdout
    assert "exists" in sentence(run("calibration", "export", "--format", "ros", "--output", tmp_path / "ros"))
    assert "stored as version 3" in run("calibration", "import", tmp_path / "ros").stdout


def black(folder: Path) -> None:
    for file in (folder / "right").iterdir():
        cv2.imwrite(str(file), np.zeros((400, 640), np.uint8))


def same(folder: Path) -> None:
    for file in (folder / "left").iterdir():
        (folder / "right" / file.name).write_bytes(file.read_bytes())


def other_size(folder: Path) -> None:
    for side in ("left", "right"):
        file = folder / side / TWO[1]
        cv2.imwrite(str(file), cv2.resize(cv2.imread(str(file)), (320, 200)))


def one_side_smaller(folder: Path) -> None:
    file = folder / "right" / TWO[0]
    cv2.imwrite(str(file), cv2.resize(cv2.imread(str(file)), (320, 200)))


def no_board(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for side in ("left", "right"):
        for file in (folder / side).iterdir():
            cv2.imwrite(str(file), rng.integers(0, 255, (400, 640)).astype(np.uint8))


@pytest.mark.parametrize(
    ("spoil", "board", "words"),
    [
        (black, BOARD, "the right image is black"),
        (same, BOARD, "left and right image are the same picture"),
        (other_size, BOARD, "one rig, one size"),
        (one_side_smaller, BOARD, "left and right differ in size"),
        (no_board, BOARD, "no chessboard:9x6:30mm in the left image"),
        (lambda folder: None, "chessboard:8x5:30mm", "a chessboard with 9x6 inner corners"),
        (lambda folder: None, "charuco:8x6:30mm:22mm", "no charuco:8x6:30mm:22mm:5x5_1000 in the left image"),
        (lambda folder: None, BOARD, "2 of 2 pairs can be used; a calibration needs at least 6"),
        (lambda folder: (folder / "right" / TWO[1]).unlink(), BOARD, "has no partner"),
        (lambda folder: None, "nosuch.yaml", "cannot read the board"),
    ],
)
def test_bad_input_is_one_sentence(
    run: Run, pair_folder: Path, tmp_path: Path, spoil: Callable[[Path], None], board: str, words: str
) -> None:
    folder = copied(pair_folder, tmp_path / "few", TWO)
    spoil(folder)
    assert words in sentence(run("calibrate", "--images", folder, "--board", board))


def test_exchanged_cameras_are_named_and_can_be_swapped(run: Run, pair_folder: Path, tmp_path: Path) -> None:
    names = [path.name for path in sorted((pair_folder / "left").iterdir())]
    folder = copied(pair_folder, tmp_path / "all", names)
    (folder / "left").rename(folder / "other")
    (folder / "right").rename(folder / "left")
    (folder / "other").rename(folder / "right")
    words = ["calibrate", "--images", folder, "--board", BOARD, "--lens", "plumb_bob"]
    assert "--swap" in sentence(run(*words))
    assert run(*words, "--swap").exception is None


def test_a_board_is_printed_once(run: Run, tmp_path: Path) -> None:
    words = ["calibrate", "board", "--type", BOARD, "--output", tmp_path / "board.svg"]
    assert "Print at 100 %" in run(*words).stdout
    assert "exists" in sentence(run(*words))
    assert ".pdf, .svg or .png" in sentence(run(*words[:-1], tmp_path / "board.gif"))
