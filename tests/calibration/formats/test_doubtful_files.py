"""Files that can be read in two ways, or that are no stereo rig: what was taken is said, or what is wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from roma_device.app.evaluate.odometry.datasets.kitti import KITTI
from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import import_calibration, load_calibration
from tests.logged import logged

from .rig_files import WRITERS

SIZE = Size(1241, 376)
BASELINES_M = {"grey": 386.1448 / 718.856, "colour": (45.38225 + 337.2877) / 718.856}
"""Of sequence 00 of KITTI's odometry benchmark (calib.txt, A. Geiger et al., CVPR 2012)."""


@pytest.fixture
def calib_txt(tmp_path: Path) -> Path:
    shifts = {"P0": 0.0, "P1": -386.1448, "P2": 45.38225, "P3": -337.2877}
    lines = [f"{name}: 718.856 0 607.1928 {x} 0 718.856 185.2157 0 0 0 1 0\n" for name, x in shifts.items()]
    path = tmp_path / "calib.txt"
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize("cameras", ["grey", "colour"])
def test_each_of_kittis_pairs_has_its_own_baseline(calib_txt: Path, cameras: str) -> None:
    with logged("WARNING") as lines:
        rig = import_calibration([calib_txt], size=SIZE, cameras=cameras)
    assert rig.baseline_m == pytest.approx(BASELINES_M[cameras], abs=1e-5)
    assert lines == []


def test_which_of_kittis_pairs_was_taken_is_said(calib_txt: Path) -> None:
    with logged("WARNING") as lines:
        rig = import_calibration([calib_txt], size=SIZE)
    assert rig.baseline_m == pytest.approx(BASELINES_M["colour"], abs=1e-5)
    (line,) = lines
    assert "532.3 mm" in line and "537.2 mm" in line and "--cameras grey" in line


def test_a_pair_that_is_not_in_the_file_is_refused(tmp_path: Path) -> None:
    (path,) = WRITERS["kitti"](tmp_path, (-0.537, 0.0, 0.0))
    with pytest.raises(CalibrationError, match="colour cameras are not in it"):
        import_calibration([path], cameras="colour")
    (path,) = WRITERS["opencv"](tmp_path, (-0.06, 0.0, 0.0))
    with pytest.raises(CalibrationError, match="this is opencv's format"):
        import_calibration([path], cameras="grey")


def test_a_sequence_of_grey_images_has_the_grey_cameras_baseline(calib_txt: Path) -> None:
    folder = calib_txt.parent
    for side in ("image_0", "image_1"):
        (folder / side).mkdir()
        for number in range(2):
            cv2.imwrite(str(folder / side / f"{number:06}.png"), np.zeros(SIZE[::-1], np.uint8))
    (folder / "times.txt").write_text("0.0\n0.1\n")
    (folder / "poses.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1 1\n")
    assert KITTI.open(folder).rig.baseline_m == pytest.approx(BASELINES_M["grey"], abs=1e-5)


@pytest.mark.parametrize("key", ["DepthMapFactor", "RGBD.DepthMapFactor"])
def test_settings_of_an_rgb_d_camera_are_no_rig(tmp_path: Path, key: str) -> None:
    text = "%YAML:1.0\n\nCamera.fx: 517.3\nCamera.fy: 516.5\nCamera.cx: 318.6\nCamera.cy: 255.3\n"
    text += f"Camera.width: 640\nCamera.height: 480\nCamera.bf: 40.0\n{key}: 5000.0\n"
    (tmp_path / "TUM1.yaml").write_text(text)
    with pytest.raises(CalibrationError, match=f"{key} says that this is an RGB-D camera"):
        import_calibration([tmp_path / "TUM1.yaml"])


@pytest.mark.parametrize("name", ["image_size", "imageSize"])
def test_an_image_size_in_one_entry_is_found(tmp_path: Path, name: str) -> None:
    (path,) = WRITERS["opencv"](tmp_path, (-0.06, 0.0, 0.0))
    lines = path.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("image_width", "image_height"))]
    path.write_text("\n".join([*kept, f"{name}: [640, 480]", ""]))
    assert len(kept) == len(lines) - 2 and load_calibration(path).left.size == Size(640, 480)


def test_without_an_image_size_the_way_by_an_import_is_said(tmp_path: Path, calib_txt: Path) -> None:
    (path,) = WRITERS["opencv"](tmp_path, (-0.06, 0.0, 0.0))
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("image_")))
    for file in (path, calib_txt):
        with pytest.raises(CalibrationError, match=f"calibration import {file} --size WIDTHxHEIGHT --output rig.yaml"):
            load_calibration(file)


def test_a_number_that_is_none_is_not_said_to_be_missing(tmp_path: Path) -> None:
    (path,) = WRITERS["opencv"](tmp_path, (-0.06, 0.0, 0.0))
    path.write_text(path.read_text().replace("-0.06", ".Nan"))
    with pytest.raises(CalibrationError, match="T holds a number that is not finite"):
        import_calibration([path])
