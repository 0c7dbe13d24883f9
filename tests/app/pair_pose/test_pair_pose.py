from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.cameras import open_camera
from roma_device.app.simulation.worlds.rigs import bumped
from roma_device.calibration.formats.own import save_calibration
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.types import StereoFrame
from tests.app.command_line import call


def run(capsys: pytest.CaptureFixture[str], camera: str, *options: str) -> tuple[int, str]:
    """Exit code and all that ``roma-device run --task pose`` says."""
    code, out, err = call(capsys, "-q", "run", "--task", "pose", "--camera", camera, *options)
    return code, out + err


CAMERA = "simulated:room?frames=1&size=640x480"


@pytest.fixture(scope="module")
def frame() -> tuple[StereoFrame, StereoCalibration]:
    """One pair of the simulated rig, and its calibration."""
    with open_camera(CAMERA) as camera:
        calibration = camera.calibration
        assert calibration is not None
        return next(iter(camera.frames())), calibration


@pytest.fixture
def pair(frame: tuple[StereoFrame, StereoCalibration], tmp_path: Path) -> tuple[str, Path]:
    """The pair as files, and the rig's calibration file."""
    for name, image in (("left", frame[0].left.image), ("right", frame[0].right.image)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    save_calibration(tmp_path / "rig.yaml", frame[1])
    return f"images:{tmp_path / 'left.png'},{tmp_path / 'right.png'}", tmp_path / "rig.yaml"


def test_rig_against_its_own_calibration(capsys: pytest.CaptureFixture[str], pair: tuple[str, Path]) -> None:
    camera, calibration = pair
    code, output = run(capsys, camera, "--intrinsics", "rig", "--calibration", str(calibration))
    assert code == 0, output
    assert "the calibration still holds" in output


@pytest.mark.slow
def test_bumped_rig_is_found(
    capsys: pytest.CaptureFixture[str],
    frame: tuple[StereoFrame, StereoCalibration],
    pair: tuple[str, Path],
    tmp_path: Path,
) -> None:
    save_calibration(tmp_path / "other.yaml", bumped(frame[1], "yaw", 0.8))
    code, output = run(capsys, pair[0], "--intrinsics", "rig", "--calibration", str(tmp_path / "other.yaml"), "--json")
    assert code == 1, output
    verdict = json.loads(output.splitlines()[-1])["calibration"]
    assert not verdict["holds"]
    assert verdict["rotation_deg"] == pytest.approx(0.8, abs=0.15)


def test_record_of_a_pair(
    capsys: pytest.CaptureFixture[str], pair: tuple[str, Path], frame: tuple[StereoFrame, StereoCalibration]
) -> None:
    _, output = run(capsys, pair[0], "--intrinsics", str(pair[1]), "--json")
    record = json.loads(output)
    assert record["state"] in ("ok", "degraded") and record["inliers"] > 50
    assert np.linalg.norm(record["b_from_a"]["direction"]) == pytest.approx(1)
    assert record["b_from_a"]["direction"][0] < -0.95  # the right camera sees the left one on its left


@pytest.mark.slow
def test_unknown_intrinsics_give_a_fundamental_matrix(
    capsys: pytest.CaptureFixture[str], pair: tuple[str, Path]
) -> None:
    _, output = run(capsys, pair[0], "--intrinsics", "unknown", "--json")
    record = json.loads(output)
    assert record["state"] in ("ok", "degraded") and len(record["fundamental"]) == 3


@pytest.mark.slow
def test_same_image_twice_is_lost(capsys: pytest.CaptureFixture[str], pair: tuple[str, Path]) -> None:
    left = pair[0].removeprefix("images:").split(",")[0]
    code, output = run(capsys, f"images:{left},{left}", "--intrinsics", "500,500,319.5,239.5")
    assert code == 1
    assert "lost" in output and "the same" in output


@pytest.mark.slow
def test_images_without_overlap_are_lost(
    capsys: pytest.CaptureFixture[str], pair: tuple[str, Path], tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (480, 640), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), cv2.GaussianBlur(noise, (0, 0), 2))
    left = pair[0].removeprefix("images:").split(",")[0]
    code, output = run(capsys, f"images:{left},{tmp_path / 'noise.png'}", "--intrinsics", "500,500,319.5,239.5")
    assert code == 1 and "lost" in output


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--intrinsics", "1000,1000,959.5,539.5"], "for which size are they"),
        (["--intrinsics", "1000,1000,959.5,539.5@1920x1080"], "the shapes differ"),
        (["--intrinsics", "4.0,4.0,319.5,239.5"], "is it in px"),
        (["--intrinsics", "1,2,3"], "no such file"),
        (["--intrinsics", "a,b,c,d"], "four numbers"),
        (["--intrinsics", "-5,500,319.5,239.5"], "must be positive"),
        (["--intrinsics", "rig"], "--calibration FILE"),
        (["--intrinsics", "unknown", "--matcher", "stereo"], "rectified pairs only"),
        (["--intrinsics", "unknown", "--matcher", "nobody"], "no model 'nobody'"),
        (["--intrinsics", "unknown", "--matcher", "sift", "--model", "x"], "give one of them"),
        (["--matcher", "sift"], "needs --intrinsics"),
        ([], "give --calibration FILE"),
    ],
)
def test_wrong_use_is_one_sentence(
    capsys: pytest.CaptureFixture[str], pair: tuple[str, Path], options: list[str], sentence: str
) -> None:
    code, output = run(capsys, pair[0], *options)
    assert code not in (0, 1)
    assert sentence in output


def test_one_image_is_one_sentence(capsys: pytest.CaptureFixture[str], pair: tuple[str, Path]) -> None:
    left = pair[0].removeprefix("images:").split(",")[0]
    code, output = run(capsys, f"images:{left}", "--intrinsics", "unknown")
    assert code not in (0, 1) and output.count("\n") <= 2


def test_intrinsics_are_for_poses(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "run", "--intrinsics", "unknown")
    assert code == 64 and "--task pose" in err
