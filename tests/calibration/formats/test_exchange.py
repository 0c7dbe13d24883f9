"""Formats of other programs: what we write we read again, and what they write as well."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from roma_device.app.simulation.worlds.rigs import LENSES, virtual_rig
from roma_device.calibration.arrays import Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import WRITTEN, export_calibration, format_of, import_calibration
from roma_device.calibration.rig import StereoCalibration
from tests.logged import logged

SIZE = (640, 400)
POINTS = np.random.default_rng(0).uniform([-0.5, -0.3, 0.6], [0.5, 0.3, 4], (300, 3))


def greatest_difference_px(one: StereoCalibration, other: StereoCalibration) -> float:
    """Over both images of the same points."""
    left = np.abs(one.left.project(POINTS) - other.left.project(POINTS)).max()
    right = [rig.right.project(rig.right_from_left.apply(POINTS)) for rig in (one, other)]
    return float(max(left, np.abs(right[0] - right[1]).max()))


@pytest.mark.parametrize("lens", sorted(LENSES))
@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_projects_the_same_when_read_again(tmp_path: Path, lens: str, name: str) -> None:
    calibration = virtual_rig(SIZE, lens, 2)
    if (lens, name) == ("rational", "kalibr"):
        with pytest.raises(CalibrationError, match="Kalibr has no lens"):
            export_calibration(tmp_path / "rig", calibration, name)
        return
    written = export_calibration(tmp_path / "rig", calibration, name)
    assert format_of(written[0]) == name
    again = import_calibration([tmp_path / "rig"])
    assert again.left.size == SIZE
    assert again.left.model == calibration.left.model
    assert greatest_difference_px(again, calibration) < 1e-6


@pytest.mark.parametrize(
    ("lens", "model"),
    [((-0.1, 0.02, 0, 0, 0.01), "equidistant"), ((-0.3, 0.12, 1e-3, -5e-4, -0.03), "plumb_bob")],
)
def test_a_third_radial_coefficient_is_refitted_for_kalibr_and_the_error_stated(
    tmp_path: Path, lens: tuple[float, ...], model: str
) -> None:
    rig = virtual_rig(SIZE)
    bent = replace(rig, left=CameraModel(Size(*SIZE), rig.left.matrix, np.array(lens)))
    with logged("WARNING") as lines:
        export_calibration(tmp_path / "chain.yaml", bent, "kalibr")
    again = import_calibration([tmp_path / "chain.yaml"])
    pixels = np.stack(np.meshgrid(np.linspace(0, 639, 40), np.linspace(0, 399, 30)), -1).reshape(-1, 2)
    off_px = np.linalg.norm(again.left.project(bent.left.unproject(pixels)) - pixels, axis=1)
    (line,) = lines
    found = re.search(r"left camera: .*, which is ([\d.]+) px off \(RMS over the image\), ([\d.]+) px at most", line)
    assert found is not None and found[0] in (tmp_path / "chain.yaml").read_text()
    assert again.left.model == model and off_px.max() < 1
    assert float(found[2]) == pytest.approx(off_px.max(), abs=0.002)
    assert float(found[1]) == pytest.approx((off_px**2).mean() ** 0.5, rel=0.2, abs=0.001)
    np.testing.assert_array_equal(again.right.distortion, rig.right.distortion)


def test_a_lens_that_no_model_of_kalibr_comes_near_to_is_refused(tmp_path: Path) -> None:
    rig = virtual_rig(SIZE, "rational", 2)
    with pytest.raises(CalibrationError, match=r"the rational model, and its nearest one is \d\.\d px off"):
        export_calibration(tmp_path / "chain.yaml", rig, "kalibr")
    assert not (tmp_path / "chain.yaml").exists()


def test_the_right_projection_matrix_of_ros_has_a_negative_offset(tmp_path: Path) -> None:
    rig = virtual_rig(SIZE)
    _, right = export_calibration(tmp_path, rig, "ros")
    document = yaml.safe_load(right.read_text())
    assert list(document) == [
        "image_width",
        "image_height",
        "camera_name",
        "camera_matrix",
        "distortion_model",
        "distortion_coefficients",
        "rectification_matrix",
        "projection_matrix",
    ]
    projection = np.array(document["projection_matrix"]["data"]).reshape(3, 4)
    assert projection[0, 3] == pytest.approx(-projection[0, 0] * rig.baseline_m)
    assert projection[0, 3] < 0


ROS = """\
image_width: 640
image_height: 480
camera_name: narrow_stereo/{side}
camera_matrix:
  rows: 3
  cols: 3
  data: [500.1, 0.0, {cx}, 0.0, 500.2, 240.5, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.3, 0.1, 0.0005, -0.0002, 0.0]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
projection_matrix:
  rows: 3
  cols: 4
  data: [480.0, 0.0, 320.0, {offset}, 0.0, 480.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
"""


def ros_pair(folder: Path, offset: float) -> list[Path]:
    files = [folder / "left.yaml", folder / "right.yaml"]
    files[0].write_text(ROS.format(side="left", cx=320.3, offset=0.0))
    files[1].write_text(ROS.format(side="right", cx=318.9, offset=offset))
    return files


def test_files_of_the_ros_calibrator_are_read(tmp_path: Path) -> None:
    rig = import_calibration(ros_pair(tmp_path, -57.6))
    assert rig.baseline_m == pytest.approx(0.12)
    assert rig.right_from_left.translation_m[0] == pytest.approx(-0.12)
    assert rig.right.cx == 318.9
    assert import_calibration([tmp_path]).baseline_m == pytest.approx(0.12)


def test_a_positive_offset_means_swapped_files(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="swapped"):
        import_calibration(ros_pair(tmp_path, 57.6))


KALIBR = """\
cam0:
  cam_overlaps: [1]
  camera_model: pinhole
  distortion_coeffs: [-0.294, 0.078, 0.0002, -8.0e-05]
  distortion_model: radtan
  intrinsics: [461.6, 460.2, 362.7, 248.1]
  resolution: [752, 480]
  rostopic: /cam0/image_raw
cam1:
  T_cn_cnm1:
  - [0.9999, 0.0023, 0.0003, -0.1100]
  - [-0.0023, 0.9998, 0.0141, 0.0004]
  - [-0.0003, -0.0141, 0.9999, -0.0008]
  - [0.0, 0.0, 0.0, 1.0]
  cam_overlaps: [0]
  camera_model: pinhole
  distortion_coeffs: [-0.292, 0.077, 3.0e-05, -0.0001]
  distortion_model: radtan
  intrinsics: [460.0, 458.7, 379.4, 255.3]
  resolution: [752, 480]
  rostopic: /cam1/image_raw
"""


def test_a_camchain_of_kalibr_is_read(tmp_path: Path) -> None:
    file = tmp_path / "camchain.yaml"
    file.write_text(KALIBR)
    rig = import_calibration([file])
    assert rig.left.size == (752, 480)
    assert rig.right_from_left.translation_m[0] == pytest.approx(-0.11)
    np.testing.assert_allclose(rig.left.distortion, [-0.294, 0.078, 0.0002, -8e-5, 0])


OPENCV_4 = """\
%YAML:1.0
---
M1: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 533.5, 0., 341.5, 0., 533.4, 235.2, 0., 0., 1. ]
D1: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ -0.29, 0.09, 0.001, -0.0003, 0.01 ]
M2: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 537., 0., 326.4, 0., 536.7, 250., 0., 0., 1. ]
D2: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ -0.3, 0.15, -0.0006, 0.0001, -0.06 ]
"""
OPENCV_5 = """\
%YAML 1.2
---
R: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 1., 0., 0., 0., 1., 0., 0., 0., 1. ]
T: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ -0.0832, 0.0009, 0.0001 ]
"""


def test_both_dialects_of_opencv_are_read_and_the_size_is_asked_for(tmp_path: Path) -> None:
    intrinsics, extrinsics = tmp_path / "intrinsics.yml", tmp_path / "extrinsics.yml"
    intrinsics.write_text(OPENCV_4)
    extrinsics.write_text(OPENCV_5)
    with pytest.raises(CalibrationError, match="--size"):
        import_calibration([intrinsics, extrinsics])
    rig = import_calibration([intrinsics, extrinsics], size=(640, 480))
    assert rig.left.fx == 533.5
    assert rig.baseline_m == pytest.approx(0.0832, rel=1e-3)


MIDDLEBURY = """\
cam0=[3979.911 0 1244.772; 0 3979.911 1019.507; 0 0 1]
cam1=[3979.911 0 1369.115; 0 3979.911 1019.507; 0 0 1]
doffs=124.343
baseline=193.001
width=2964
height=1988
ndisp=270
"""


def test_middlebury_and_kitti_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "calib.txt"
    file.write_text(MIDDLEBURY)
    rig = import_calibration([file])
    assert rig.baseline_m == pytest.approx(0.193001)
    assert rig.right.cx - rig.left.cx == pytest.approx(124.343)
    file.write_text(MIDDLEBURY.replace("doffs=", "doffs=-"))
    with pytest.raises(CalibrationError, match=r"doffs is -124\.343 px, but .* are 124\.343 px apart"):
        import_calibration([file])
    file.write_text("P0: 707.0 0 604.1 0 0 707.0 180.5 0 0 0 1 0\nP1: 707.0 0 604.1 -379.8 0 707.0 180.5 0 0 0 1 0\n")
    rig = import_calibration([file], size=(1241, 376))
    assert rig.baseline_m == pytest.approx(379.8 / 707.0)


def test_a_raw_recording_of_kitti_has_its_colour_pair(tmp_path: Path) -> None:
    lines = ["calib_time: 09-Jan-2012 13:57:47"]
    for number, shift in (("02", 0.06), ("03", -0.473)):
        lines += [
            f"S_{number}: 1.392000e+03 5.120000e+02",
            f"K_{number}: 9.6e+02 0 6.9e+02 0 9.5e+02 2.4e+02 0 0 1",
            f"D_{number}: -3.7e-01 2.0e-01 1.2e-03 2.0e-03 -7.2e-02",
            f"R_{number}: 1 0 0 0 1 0 0 0 1",
            f"T_{number}: {shift} 0 0",
        ]
    file = tmp_path / "calib_cam_to_cam.txt"
    file.write_text("\n".join(lines))
    assert import_calibration([file]).baseline_m == pytest.approx(0.533)


def test_real_euroc_sensor_files_are_read(shared_data: Path) -> None:
    folder = shared_data / "clips" / "euroc_micro" / "mav0"
    rig = import_calibration([folder])
    assert rig.left.size == (752, 480)
    assert rig.baseline_m == pytest.approx(0.11, abs=0.002)
    assert rig.right_from_left.translation_m[0] < 0


def broken(text: str, name: str) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        (folder / name).write_text(text)
        return [folder / name]

    return write


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (broken("hello", "a.txt"), "no known format"),
        (broken("", "a.yaml"), "no known format"),
        (broken(KALIBR.replace("pinhole", "omni"), "chain.yaml"), "must be one of pinhole"),
        (broken(KALIBR.replace("-0.1100", "0.1100"), "chain.yaml"), "swapped"),
        (broken("%YAML:1.0\n---\nM1: 3\n", "a.yml"), "not found"),
        (broken("%YAML:1.0\n---\n[[[", "a.yml"), "FileStorage"),
        (broken(MIDDLEBURY.replace("width=2964\n", ""), "calib.txt"), "width is missing"),
        (broken(ROS.format(side="left", cx=1, offset=0), "left.yaml"), "give the file of the right one"),
        (lambda folder: [folder], "holds neither"),
        (lambda folder: [folder / "none.yaml"], "cannot read"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, write: Callable[[Path], list[Path]], words: str) -> None:
    with pytest.raises(CalibrationError, match=words) as caught:
        import_calibration(write(tmp_path))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code in (os.EX_DATAERR, os.EX_NOINPUT, os.EX_USAGE)
