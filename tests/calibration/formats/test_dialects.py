"""Containers times dialects times units: the same rig in every format is the same, or refused by name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats.exchange import import_calibration, load_calibration
from roma_device.calibration.formats.own import save_calibration
from tests.logged import logged

from .rig_files import FISHEYE, FISHEYE_NAMES, WRITERS, K, Shift

LEFT_TO_RIGHT: Shift = (-0.06, 0.0, 0.0)
same_folder = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
formats = st.sampled_from(sorted(WRITERS))


def rewrapped(path: Path, mark: bytes, ends: bytes, header: bool) -> None:
    data = path.read_bytes()
    if header and path.suffix in (".yaml", ".yml") and not data.startswith(b"%YAML"):
        data = b"%YAML:1.0\n" + data
    data = data.replace(b"\n", ends)
    path.write_bytes(data.decode().encode("utf-16") if mark == b"utf-16" else mark + data)


@same_folder
@given(
    name=formats,
    mark=st.sampled_from([b"", b"\xef\xbb\xbf", b"utf-16"]),
    ends=st.sampled_from([b"\n", b"\r\n"]),
    header=st.booleans(),
)
def test_containers_change_nothing(tmp_path: Path, name: str, mark: bytes, ends: bytes, header: bool) -> None:
    paths = WRITERS[name](tmp_path, LEFT_TO_RIGHT)
    for path in paths:
        rewrapped(path, mark, ends, header)
    rig = import_calibration(paths)
    assert rig.baseline_m == pytest.approx(0.06)
    assert tuple(rig.left.size) == (640, 480)
    np.testing.assert_allclose(rig.left.matrix.ravel(), K)
    np.testing.assert_allclose(rig.left.distortion, [-0.1, 0.02, 0.001, -0.0005, 0])


@pytest.mark.parametrize(("name", "model"), [(name, model) for name in FISHEYE_NAMES for model in FISHEYE_NAMES[name]])
@pytest.mark.parametrize("zeros", [0, 1, 4, 10])
def test_a_fisheye_lens_is_known_by_all_its_names(tmp_path: Path, name: str, model: str, zeros: int) -> None:
    paths = WRITERS[name](tmp_path, LEFT_TO_RIGHT, model, (*FISHEYE, *(0.0,) * zeros))
    rig = import_calibration(paths)
    assert rig.right.model == "equidistant"
    np.testing.assert_allclose(rig.right.distortion, FISHEYE)


def test_camera_model_fisheye_of_melodic_needs_no_distortion_model(tmp_path: Path) -> None:
    for path in WRITERS["ros"](tmp_path, LEFT_TO_RIGHT, "fisheye", FISHEYE):
        path.write_text(path.read_text().replace("distortion_model:", "camera_model:"))
    assert import_calibration([tmp_path]).left.model == "equidistant"


@pytest.mark.parametrize(("focal_px", "is_said"), [(250.0, True), (500.0, False)])
def test_four_nameless_coefficients_of_a_wide_lens_are_doubted(tmp_path: Path, focal_px: float, is_said: bool) -> None:
    (path,) = WRITERS["opencv"](tmp_path, LEFT_TO_RIGHT, "", FISHEYE)
    path.write_text(path.read_text().replace("500", str(int(focal_px))))
    with logged("WARNING") as said:
        assert import_calibration([path]).left.fx == focal_px
    assert any("distortion_model: equidistant" in line for line in said) == is_said
    text = path.read_text().replace("image_width", "distortion_model: equidistant\nimage_width")
    path.write_text(text)
    assert import_calibration([path]).left.model == "equidistant"


PADDED = {"ros": "plumb_bob", "ros_echo": "plumb_bob", "kalibr": "radtan", "euroc": "radial-tangential"}


@pytest.mark.parametrize("name", PADDED)
@pytest.mark.parametrize("zeros", [3, 7, 9])
def test_zeros_behind_the_coefficients_are_nothing_and_other_numbers_are_refused(
    tmp_path: Path, name: str, zeros: int
) -> None:
    lens = (-0.0306, 0.0352, -0.00014, -0.00015, -0.01205)
    rig = import_calibration(WRITERS[name](tmp_path, LEFT_TO_RIGHT, PADDED[name], (*lens, *(0.0,) * zeros)))
    assert rig.left.model == "plumb_bob"
    np.testing.assert_allclose(rig.left.distortion, lens)
    with pytest.raises(CalibrationError, match="takes 5 distortion coefficients"):
        import_calibration(WRITERS[name](tmp_path, LEFT_TO_RIGHT, PADDED[name], (*lens, *(0.0,) * (zeros - 1), 0.1)))


@pytest.mark.parametrize(("name", "model"), [("ros", "rational_polynomial"), ("opencv", ""), ("kitti", "")])
def test_a_rational_lens_keeps_its_eight(tmp_path: Path, name: str, model: str) -> None:
    lens = (0.1, 0.02, 0.001, 0.0, 0.1, 0.2, 0.03, 0.1)
    rig = import_calibration(WRITERS[name](tmp_path, LEFT_TO_RIGHT, model, (*lens, *(0.0,) * 6)))
    assert rig.left.model == "rational_polynomial"
    np.testing.assert_allclose(rig.left.distortion, lens)
    with pytest.raises(CalibrationError, match="takes 8"):
        import_calibration(WRITERS[name](tmp_path, LEFT_TO_RIGHT, model, (*lens, 0.0, 0.01, 0.0, 0.0)))


@same_folder
@given(name=formats, unit=st.sampled_from(["mm", "cm", "inch"]), baseline_m=st.floats(0.09, 0.3))
def test_lengths_in_another_unit_are_not_taken_for_metres(
    tmp_path: Path, name: str, unit: str, baseline_m: float
) -> None:
    in_unit = baseline_m / {"mm": 1e-3, "cm": 1e-2, "inch": 0.0254}[unit]
    paths = WRITERS[name](tmp_path, (-in_unit, 0.0, 0.0))
    with logged("WARNING") as said:
        try:
            import_calibration(paths)
        except CalibrationError as error:
            said.append(str(error))
    assert in_unit <= 1 or (unit in said[0] and "--unit" in said[0])
    rig = import_calibration(paths, unit=unit)
    assert rig.baseline_m == pytest.approx(baseline_m, rel=1e-5)
    save_calibration(tmp_path / "own.yaml", rig)
    assert load_calibration(tmp_path / "own.yaml").origin["unit"] == unit


@pytest.mark.parametrize("name", sorted(WRITERS))
@pytest.mark.parametrize("shift", [(-0.0008, -0.12, 0.002), (0.001, 0.12, 0.0), (-0.01, 0.06, 0.0)])
def test_a_vertical_rig_is_refused_in_words(tmp_path: Path, name: str, shift: Shift) -> None:
    with pytest.raises(CalibrationError, match="vertical rig, one camera above the other") as caught:
        import_calibration(WRITERS[name](tmp_path, shift))
    assert caught.value.exit_code == os.EX_DATAERR


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_rig_in_the_other_order_is_imported_with_swap(tmp_path: Path, name: str) -> None:
    paths = WRITERS[name](tmp_path, (0.0701, 0.0, 0.0))
    with pytest.raises(CalibrationError, match=r"swapped.*--swap"):
        import_calibration(paths)
    rig = import_calibration(paths, swap=True)
    assert rig.right_from_left.translation_m[0] == pytest.approx(-0.0701)
    if len(paths) == 2:
        assert import_calibration(paths[::-1]).baseline_m == pytest.approx(0.0701)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_rig_in_order_that_is_to_be_swapped_is_not_sent_round_in_a_circle(tmp_path: Path, name: str) -> None:
    paths = WRITERS[name](tmp_path, LEFT_TO_RIGHT)
    with pytest.raises(CalibrationError, match=r"first camera is the left one already.*\(no --swap\)$"):
        import_calibration(paths, swap=True)


@pytest.mark.parametrize("name", ["kalibr", "opencv", "orbslam", "kitti"])
def test_an_option_for_our_file_takes_every_other_one(tmp_path: Path, name: str) -> None:
    (path,) = WRITERS[name](tmp_path, LEFT_TO_RIGHT)
    assert load_calibration(path).baseline_m == pytest.approx(0.06)


@pytest.mark.parametrize("key", ["T_cam_imu", "T_imu_cam"])
def test_poses_by_the_imu_are_those_between_the_cameras(tmp_path: Path, key: str) -> None:
    (path,) = WRITERS["kalibr"](tmp_path, LEFT_TO_RIGHT)
    imu_from_left = np.array([[0.0, 0, 1, 0.1], [1, 0, 0, 0.2], [0, 1, 0, 0.3], [0, 0, 0, 1]])
    imu_from_right = imu_from_left @ np.array([[1.0, 0, 0, 0.06], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    head, tail = path.read_text().split("cam1:\n")
    tail = "".join(tail.splitlines(keepends=True)[5:])
    parts = []
    for body, pose in ((head.removeprefix("cam0:\n"), imu_from_left), (tail, imu_from_right)):
        matrix = pose if key == "T_imu_cam" else np.linalg.inv(pose)
        parts.append(f"  {key}:\n" + "".join(f"  - {row}\n" for row in matrix.tolist()) + body)
    path.write_text(f"cam0:\n{parts[0]}cam1:\n{parts[1]}")
    np.testing.assert_allclose(import_calibration([path]).right_from_left.translation_m, [-0.06, 0, 0], atol=1e-9)


def test_the_rectified_pair_of_kitti_is_told_from_the_raw_one_by_the_size(tmp_path: Path) -> None:
    (path,) = WRITERS["kitti"](tmp_path, (-0.537, 0.0, 0.0))
    rect = "".join(
        f"S_rect_{number}: 6.0e+02 4.0e+02\nP_rect_{number}: 450 0 300 {x} 0 450 200 0 0 0 1 0\n"
        for number, x in (("00", 0), ("01", -450 * 0.5372))
    )
    path.write_text(path.read_text() + rect)
    rig = import_calibration([path], size=(600, 400))
    assert (rig.left.fx, rig.left.cx, rig.baseline_m) == (450, 300, pytest.approx(0.5372))
    assert not rig.left.distortion.any()
    for size in (None, (640, 480)):
        assert import_calibration([path], size=size).left.distortion.any()
    with pytest.raises(CalibrationError, match="600x400"):
        import_calibration([path], size=(320, 240))


def test_an_eeprom_of_an_oak_is_read_along_its_chain(tmp_path: Path) -> None:
    eye = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]

    def camera(to: int, x_cm: float, kind: int = 0) -> dict[str, object]:
        extrinsics = {"toCameraSocket": to, "rotationMatrix": eye, "translation": {"x": x_cm, "y": 0, "z": 0}}
        lens = [0.1, 0.01, 0, 0, *[0.0] * 10]
        matrix = [[500, 0, 320], [0, 500, 240], [0, 0, 1]]
        return {
            "cameraType": kind,
            "distortionCoeff": lens,
            "extrinsics": extrinsics,
            "height": 480,
            "width": 640,
            "intrinsicMatrix": matrix,
        }

    for cameras in (
        [[0, camera(-1, 0)], [1, camera(2, -7.5)], [2, camera(0, 3.75)]],
        [[0, camera(-1, 0)], [1, camera(0, -3.75, 1)], [2, camera(0, 3.75, 1)]],
    ):
        (tmp_path / "oak.json").write_text("\ufeff" + json.dumps({"cameraData": cameras}))
        rig = import_calibration([tmp_path / "oak.json"])
        assert rig.right_from_left.translation_m[0] == pytest.approx(-0.075)


def test_a_conf_of_a_zed_has_a_rig_for_each_size(tmp_path: Path) -> None:
    text = "".join(
        f"[{side}_CAM_{mode}]\nfx={f}\nfy={f}\ncx={w / 2}\ncy={h / 2}\nk1=-0.17\nk2=0.02\n\n"
        for side in ("LEFT", "RIGHT")
        for mode, f, w, h in (("HD", 700, 1280, 720), ("VGA", 350, 672, 376))
    )
    text += "[STEREO]\nBaseline=119.9\nTY=0.1\nTZ=-0.2\n" + "".join(
        f"{name}_{mode}=0.001\n" for name in ("CV", "RX", "RZ") for mode in ("HD", "VGA")
    )
    (tmp_path / "SN1.conf").write_text(text)
    with pytest.raises(CalibrationError, match="1280x720, 672x376"):
        import_calibration([tmp_path / "SN1.conf"])
    rig = import_calibration([tmp_path / "SN1.conf"], size=(672, 376))
    assert rig.left.fx == 350
    assert rig.baseline_m == pytest.approx(0.1199, rel=1e-4)
    np.testing.assert_allclose(rig.right_from_left.translation_m, [-0.1199, 0.0001, -0.0002])
    np.testing.assert_allclose(rig.right_from_left.rotation_vector, [0.001, 0.001, 0.001])


@pytest.mark.parametrize(
    ("lens", "model", "expected"),
    [
        ("k1=-.1\nk2=.02\np1=.001\np2=.002\nk3=.03\nk4=.2\nk5=.05\nk6=.06\n", "rational_polynomial", 8),
        ("k1=.1\nk2=.02\nk3=.003\nk4=.0004\nk5=0\nk6=0\np1=0\np2=0\n", "equidistant", 4),
    ],
)
def test_a_conf_of_a_zed_x_has_its_lens_apart_and_shifts_for_each_size(
    tmp_path: Path, lens: str, model: str, expected: int
) -> None:
    text = "".join(f"[{side}_CAM_SVGA]\nfx=370\nfy=370\ncx=480\ncy=300\n" for side in ("LEFT", "RIGHT"))
    text += f"[LEFT_DISTO]\n{lens}[RIGHT_DISTO]\n{lens}"
    text += "[STEREO]\nBaseline=120\nTY=9\nTY_SVGA=0.3\nTZ_SVGA=0.1\nRX_SVGA=0.002\nCV_SVGA=0\nRZ_SVGA=0\n"
    (tmp_path / "SN2.conf").write_text(text)
    rig = import_calibration([tmp_path / "SN2.conf"], size=(960, 600))
    assert rig.left.model == model and len(rig.left.distortion) == expected
    np.testing.assert_allclose(rig.right_from_left.translation_m, [-0.12, 0.0003, 0.0001])
    values = dict(line.split("=") for line in lens.split())
    names = "k1 k2 p1 p2 k3 k4 k5 k6" if expected == 8 else "k1 k2 k3 k4"
    np.testing.assert_allclose(rig.left.distortion, [float(values[name]) for name in names.split()])


def test_orb_slams_rectified_settings_tell_the_baseline_by_bf(tmp_path: Path) -> None:
    text = "%YAML:1.0\n\nCamera.fx: 435.2\nCamera.fy: 435.2\nCamera.cx: 367.4\nCamera.cy: 252.2\n"
    text += "Camera.k1: 0.0\nCamera.k2: 0.0\nCamera.width: 752\nCamera.height: 480\nCamera.bf: 47.90639384423901\n"
    (tmp_path / "EuRoC.yaml").write_text(text)
    assert import_calibration([tmp_path / "EuRoC.yaml"]).baseline_m == pytest.approx(47.90639384423901 / 435.2)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_size_that_the_file_contradicts_is_refused(tmp_path: Path, name: str) -> None:
    """A matrix for 640x480 is another one at 1280x960."""
    paths = WRITERS[name](tmp_path, LEFT_TO_RIGHT)
    assert import_calibration(paths, size=Size(640, 480)).left.size == Size(640, 480)
    with pytest.raises(CalibrationError, match="1280x960"):
        import_calibration(paths, size=Size(1280, 960))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("radtan", "none", "is 'none', and yet there are coefficients"),
        ("[640, 480]", "[640.5, 480]", "640.5x480 is not in whole pixels"),
        ("[1, 0, 0, -0.06]", "[-1, 0, 0, -0.06]", "not a rotation"),
    ],
)
def test_numbers_that_cannot_be_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    (path,) = WRITERS["kalibr"](tmp_path, LEFT_TO_RIGHT)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(CalibrationError, match=said):
        import_calibration([path])


def test_a_matrix_for_half_the_size_is_doubted(tmp_path: Path) -> None:
    (path,) = WRITERS["kalibr"](tmp_path, LEFT_TO_RIGHT)
    path.write_text(path.read_text().replace("500.0, 500.0, 320.0, 240.0", "250.0, 250.0, 160.0, 120.0"))
    with logged("WARNING") as said:
        import_calibration([path])
    assert "is the matrix for another size?" in said[0]


def test_a_place_is_named_once(tmp_path: Path) -> None:
    (path,) = WRITERS["orbslam"](tmp_path, LEFT_TO_RIGHT)
    path.write_text(path.read_text().partition("Camera2")[0])
    with pytest.raises(CalibrationError) as refused:
        import_calibration([path])
    assert str(refused.value).count(str(path)) == 1


@pytest.mark.parametrize("part", ["\n", " ", "distortion_model: x\n", "P0\n", "cam0\n"])
def test_a_file_of_one_thing_over_and_over_is_refused_at_once(tmp_path: Path, part: str) -> None:
    """A pattern that looks back from each line would take days for these two megabytes."""
    (tmp_path / "a.yaml").write_text(part * (2_000_000 // len(part)))
    with pytest.raises(CalibrationError):
        load_calibration(tmp_path / "a.yaml")


@pytest.mark.parametrize("name", sorted(WRITERS))
@pytest.mark.parametrize("huge", [1e308, 1e150, 1e7])
@pytest.mark.filterwarnings("error")
def test_a_lens_of_huge_numbers_is_refused(tmp_path: Path, name: str, huge: float) -> None:
    """It would bend every pixel to infinity, and in silence, as what overflows turns back nowhere."""
    for lens in ((huge, 0.0, 0.0, 0.0), (0.1, huge, 0.0, 0.0)):
        with pytest.raises(CalibrationError, match=r"which no|not finite"):
            import_calibration(WRITERS[name](tmp_path, LEFT_TO_RIGHT, lens=lens))
    with pytest.raises(CalibrationError):
        import_calibration(WRITERS[name](tmp_path, (-huge, 0.0, 0.0)))
