"""Calibrations: read, written, converted, applied and solved."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from roma_device import (
    Rectifier,
    RomaError,
    StereoCalibration,
    StereoDepth,
    calibrate,
    load_calibration,
    save_calibration,
)
from roma_device.app.cameras import open_camera

BOARD = "chessboard:9x6:30mm"


@pytest.mark.parametrize("kind", ["own", "opencv", "kalibr", "ros"])
def test_formats_are_converted(kind: str, rig: StereoCalibration, tmp_path: Path) -> None:
    written = save_calibration(rig, tmp_path / "there", format=kind)
    back = load_calibration(tmp_path / "there")
    assert all(path.exists() for path in written) and len(written) == (2 if kind == "ros" else 1)
    assert back.baseline_m == pytest.approx(rig.baseline_m, rel=1e-6)
    assert load_calibration(*written, format=kind).left.fx == pytest.approx(rig.left.fx)
    assert StereoDepth(calibration=tmp_path / "there") is not None


def test_a_rectifier_does_what_stereo_depth_does(rig: StereoCalibration, pair: tuple[Any, Any]) -> None:
    frame = StereoDepth(calibration=rig, engine="null").match(*pair)
    left, right = Rectifier(rig)(*pair)
    assert (left == frame.left).all() and (right == frame.right).all() and Rectifier(rig).rig == frame.rig


def test_a_rectifier_takes_another_size(rig: StereoCalibration) -> None:
    image = np.zeros((192, 320), np.uint8)
    rectifier = Rectifier(rig, (np.int64(320), 192))  # type: ignore[arg-type]
    assert rectifier(image, image)[0].shape == (192, 320) and rectifier.rig.size == (320, 192)


def bad_calls(rig: Any, folder: Path) -> dict[str, tuple[Callable[[], Any], str]]:
    image, file = np.zeros((50, 160), np.uint8), str(folder / "rig.yaml")
    save_calibration(rig, file)
    (folder / "empty").mkdir()
    return {
        "no path": (load_calibration, "needs a file, two, or a folder"),
        "no text": (lambda: load_calibration(5), "must be a path, not 5"),  # type: ignore[arg-type]
        "no file": (lambda: load_calibration(folder / "x"), "cannot read the calibration"),
        "empty": (lambda: load_calibration(folder / "empty"), "holds neither"),
        "format": (lambda: load_calibration(file, format="x"), "unknown format 'x'"),
        "size": (lambda: load_calibration(file, size=(3,)), "size must be"),  # type: ignore[arg-type]
        "not one": (lambda: save_calibration(5, file), "a StereoCalibration is needed"),  # type: ignore[arg-type]
        "unwritten": (lambda: save_calibration(rig, file, "kitti"), "unknown format 'kitti'"),
        "no folder": (lambda: save_calibration(rig, "/nope/x.yaml"), "cannot write the calibration"),
        "shape": (lambda: Rectifier(rig, (300, 300)), "the shapes differ"),
        "view": (lambda: Rectifier(rig, view="x"), "unknown view 'x'"),  # type: ignore[arg-type]
        "rig": (lambda: Rectifier(file), "a StereoCalibration is needed"),  # type: ignore[arg-type]
        "other size": (lambda: Rectifier(rig)(image, image), "give size="),
        "board": (lambda: calibrate(folder, "x"), "unknown board 'x'"),
        "no board": (lambda: calibrate(folder, 5), "board must be a text"),  # type: ignore[arg-type]
        "lens": (lambda: calibrate(folder, BOARD, lens="x"), "unknown lens 'x'"),
        "images": (lambda: calibrate(folder, BOARD), "holds no stereo pairs"),
    }


def test_what_is_wrong_is_one_sentence(rig: StereoCalibration, tmp_path: Path) -> None:
    for call, said in bad_calls(rig, tmp_path).values():
        with pytest.raises(RomaError) as error:
            call()
        assert said in str(error.value) and "--" not in str(error.value)


@pytest.mark.slow
def test_a_rig_is_solved_from_images(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    camera = open_camera("simulated:board?fps=2")
    for frame in islice(camera.frames(), 20):
        for side in ("left", "right"):
            (tmp_path / side).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / side / f"{frame.left.sequence:03d}.png"), getattr(frame, side).image)
    assert camera.calibration is not None
    true_m = camera.calibration.baseline_m
    solved = calibrate(tmp_path, BOARD, baseline_m=true_m)
    assert solved.baseline_m == pytest.approx(true_m, rel=0.01) and solved.quality["rms_px"] < 0.5
    assert solved.origin["verdict"] and capfd.readouterr() == ("", "")
    with pytest.raises(RomaError, match="use swap="):
        calibrate(tmp_path, BOARD, swap=True)
