"""``calibrate --mono``: one camera from its images, written for other programs, and every mistake in a sentence."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.simulation.worlds.rigs import virtual_rig
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.storage.yaml_section import read_section

from .conftest import BOARD, Run, sentence


def words(folder: Path, *more: str | Path) -> list[str | Path]:
    return ["calibrate", "--images", folder, "--mono", "--board", BOARD, "--lens", "plumb_bob", *more]


def test_one_camera_of_a_rig_is_found_and_written_for_ros(run: Run, pair_folder: Path, tmp_path: Path) -> None:
    output, page = tmp_path / "camera.yaml", tmp_path / "page.html"
    result = run(*words(pair_folder / "left", "--json", "--output", output, "--report", page, "--serial", "A1"))
    assert result.exception is None, result.output
    report, truth = json.loads(result.stdout), virtual_rig((640, 400)).left
    for name in ("fx", "fy", "cx", "cy"):
        estimate = report["estimates"][name]
        assert abs(estimate["value"] - getattr(truth, name)) < 1.5 * estimate["margin_95"]
    assert report["estimates"]["fx"]["value"] == pytest.approx(truth.fx, rel=0.003)
    assert report["rms_px"] < report["held_out_px"] < 0.5
    assert report["verdict"] in ("good", "usable")
    assert "depth_error_95" not in report
    assert page.read_text().count("<svg") == 3
    assert re.search(r"calibrated at 20\d\d-\d\d-\d\dT.*; serial A1<", page.read_text())
    assert "serial: A1" in output.read_text()
    section = read_section(output, "camera info", CalibrationError)
    assert section.section("projection_matrix").numbers("data")[3] == 0
    assert section.section("camera_matrix").numbers("data") == np.ravel(report["camera"]["matrix"]).tolist()


def keep(folder: Path, count: int) -> None:
    for path in sorted(folder.iterdir())[count:]:
        path.unlink()


def black(folder: Path) -> None:
    for path in folder.iterdir():
        cv2.imwrite(str(path), np.zeros((400, 640), np.uint8))


def other_size(folder: Path) -> None:
    cv2.imwrite(str(folder / "01.png"), np.zeros((200, 320), np.uint8))


def two_cameras(folder: Path, left: str, right: str) -> None:
    for path in sorted(folder.iterdir()):
        for name in (left, right):
            shutil.copy(path, folder / f"{name.format(path.stem)}.png")
        path.unlink()


def two_folders(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir()


@pytest.mark.parametrize(
    ("spoil", "board", "words_expected"),
    [
        (lambda folder: keep(folder, 2), BOARD, "2 of 2 images can be used; a calibration needs at least 6"),
        (lambda folder: keep(folder, 0), BOARD, "holds no images"),
        (lambda folder: keep(folder, 2), "chessboard:8x5:30mm", "a chessboard with 9x6 inner corners"),
        (lambda folder: keep(folder, 2), "squares:3x4:30mm:30mm", "no squares:3x4:30mm:30mm in it"),
        (black, BOARD, "the image is black"),
        (other_size, BOARD, "one camera, one size"),
        (lambda folder: (folder / "left").mkdir(), BOARD, "holds pairs: name one camera's folder"),
        (lambda folder: two_folders(folder, "cam0", "cam1"), BOARD, "holds pairs: name one camera's folder"),
        (lambda folder: two_cameras(folder, "left{}", "right{}"), BOARD, "holds images of two cameras, such as left00"),
        (lambda folder: two_cameras(folder, "{}_L", "{}_R"), BOARD, "holds images of two cameras, such as 00_L.png"),
    ],
)
def test_bad_input_is_one_sentence(
    run: Run, pair_folder: Path, tmp_path: Path, spoil: Callable[[Path], None], board: str, words_expected: str
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("00.png", "01.png", "03.png"):
        (folder / name).write_bytes((pair_folder / "left" / name).read_bytes())
    spoil(folder)
    assert words_expected in sentence(run("calibrate", "--images", folder, "--mono", "--board", board))


@pytest.mark.parametrize(
    "options",
    [["--mono", "--camera", "simulated"], ["--mono", "--images", "x", "--swap"], ["--images", "x", "--format", "ros"]],
)
def test_options_that_do_not_go_together_are_named(run: Run, options: list[str]) -> None:
    assert "--mono" in str(run("calibrate", "--board", BOARD, *options).exception)
