import errno
import os

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_device.calibration.camera import COEFFICIENTS, CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.formats import load_calibration, save_calibration
from roma_device.calibration.pose import Pose
from roma_device.calibration.rig import StereoCalibration

same_folder = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
small = st.floats(-0.3, 0.3)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def calibrations(draw):
    model = draw(st.sampled_from(list(COEFFICIENTS)))
    width = draw(st.integers(40, 9000))
    size = width, draw(st.integers(width // 2, width))
    focal_px = size[0] * draw(st.floats(0.6, 4))

    def camera():
        fx = focal_px * draw(st.floats(1, 1.2))
        fy = fx * draw(st.floats(0.9, 1.1))
        cx, cy = (length * draw(st.floats(0.3, 0.7)) for length in size)
        distortion = [draw(st.floats(0, 1e-4)) for _ in range(COEFFICIENTS[model])]
        return CameraModel(size, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), np.array(distortion), model)

    pose = Pose.from_rotation_vector([draw(small) for _ in "xyz"], [draw(st.floats(-2, -0.5)), draw(small), 0.0])
    quality = draw(st.dictionaries(words, st.floats(-1e9, 1e9), max_size=3))
    return StereoCalibration(camera(), camera(), pose, quality, draw(words), draw(words))


def assert_same(one, other):
    assert one.left.size == other.left.size
    assert (one.made_at, one.serial, dict(one.quality)) == (other.made_at, other.serial, dict(other.quality))
    for a, b in ((one.left, other.left), (one.right, other.right)):
        assert a.model == b.model
        np.testing.assert_array_equal(a.matrix, b.matrix)
        np.testing.assert_array_equal(a.distortion, b.distortion)
    np.testing.assert_array_equal(one.right_from_left.rotation, other.right_from_left.rotation)
    np.testing.assert_array_equal(one.right_from_left.translation_m, other.right_from_left.translation_m)


@same_folder
@given(calibration=calibrations())
def test_every_bit_survives_saving_and_loading(tmp_path, calibration):
    save_calibration(tmp_path / "rig.yaml", calibration)
    assert_same(load_calibration(tmp_path / "rig.yaml"), calibration)


@pytest.fixture
def calibration():
    camera = CameraModel.pinhole((1280, 800), 700.5, 701.0, 640.25, 400.75)
    pose = Pose.from_rotation_vector([0.01, -0.02, 0.003], [-0.075, 1e-4, 2e-7])
    return StereoCalibration(camera, camera, pose, {"rms_px": 0.21}, "2024-05-01T10:00:00+00:00", "0042")


@pytest.fixture
def path(tmp_path, calibration):
    save_calibration(tmp_path / "rig.yaml", calibration)
    return tmp_path / "rig.yaml"


def refused(path, code=os.EX_DATAERR):
    with pytest.raises(CalibrationError) as caught:
        load_calibration(path)
    assert caught.value.exit_code == code
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_file_is_plain_yaml_that_people_can_read(path):
    document = yaml.safe_load(path.read_text())
    assert list(document)[:5] == ["format", "version", "made_at", "serial", "image_size"]
    assert document["format"] == "roma-device-calibration"
    assert document["left"]["matrix"] == {"fx": 700.5, "fy": 701.0, "cx": 640.25, "cy": 400.75}
    assert document["right_from_left"]["translation_m"] == [-0.075, 1e-4, 2e-7]
    assert "75.00 mm" in path.read_text().splitlines()[0]
    assert len(path.read_text().splitlines()) < 30


def at(document, *keys):
    for key in keys:
        document = document[key]
    return document


@pytest.mark.parametrize(
    "keys",
    [
        ("format",),
        ("version",),
        ("image_size",),
        ("left",),
        ("right", "matrix"),
        ("left", "matrix", "cy"),
        ("left", "model"),
        ("right", "distortion"),
        ("right_from_left", "rotation"),
        ("right_from_left", "translation_m"),
    ],
)
def test_a_missing_key_and_an_unknown_one_are_named(path, keys):
    document = yaml.safe_load(path.read_text())
    value = at(document, *keys[:-1]).pop(keys[-1])
    path.write_text(yaml.safe_dump(document))
    assert f"{'.'.join(keys)} is missing" in refused(path)
    at(document, *keys[:-1]).update({keys[-1]: value, "extra": "x"})
    path.write_text(yaml.safe_dump(document))
    where = ".".join([*keys[:-1], "extra"])
    assert f"{where} is not a key of this format" in refused(path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("version",), 2, "version is 2"),
        (("format",), "kalibr", "'kalibr'"),
        (("left", "matrix", "fx"), float("nan"), "left.matrix.fx is .nan: it must be finite"),
        (("left", "matrix", "fx"), float("-inf"), "left.matrix.fx is -.inf"),
        (("left", "matrix", "fx"), "700", "left.matrix.fx must be a number"),
        (("left", "matrix", "fx"), True, "left.matrix.fx must be a number"),
        (("left", "matrix", "fx"), None, "left.matrix.fx must be a number"),
        (("left", "matrix", "fx"), [700], "left.matrix.fx must be a number"),
        (("left", "matrix", "fx"), 0.0, "left: focal lengths"),
        (("left", "matrix"), 3, "left.matrix takes keys and values"),
        (("left",), [1], "left takes keys and values"),
        (("right", "model"), "fisheye62", "right: unknown distortion model 'fisheye62'"),
        (("right", "model"), "equidistant", "right: equidistant takes 4"),
        (("right", "distortion"), 0, "right.distortion must be a list"),
        (("serial",), {"a": 1}, "serial must be a text"),
        (("image_size",), [1280], "image_size must have 2 entries, not 1"),
        (("image_size",), [1280.5, 800], "image_size is 1280.5 x 800"),
        (("image_size",), [-1280, 800], "image_size"),
        (("right_from_left", "translation_m"), [0, 0, 0], "baseline is zero"),
        (("right_from_left", "translation_m"), [0.1, 0, 0], "cameras swapped"),
        (("right_from_left", "rotation"), [[1, 0, 0], [0, 1, 0]], "rotation must have 3 entries"),
        (("right_from_left", "rotation"), [[1, 0, 0], [0, 1, 0], [0, 0, 2]], "not a rotation matrix"),
        (("quality",), {"rms_px": "good"}, "quality.rms_px must be a number"),
    ],
)
def test_wrong_values_are_refused_with_their_key(path, keys, value, message):
    document = yaml.safe_load(path.read_text())
    at(document, *keys[:-1])[keys[-1]] = value
    path.write_text(yaml.safe_dump(document))
    assert message in refused(path)


def test_errors_tell_the_line(path):
    lines = path.read_text().splitlines()
    row = next(n for n, line in enumerate(lines) if "translation_m" in line)
    lines[row] = lines[row].replace("-0.075", "wide")
    path.write_text("\n".join(lines))
    assert f"{path}:{row + 1}: right_from_left.translation_m must be a number" in refused(path)


def test_only_the_geometry_is_needed(path):
    document = yaml.safe_load(path.read_text())
    for key in ("made_at", "serial", "quality"):
        del document[key]
    path.write_text(yaml.safe_dump(document))
    loaded = load_calibration(path)
    assert (loaded.made_at, loaded.serial, dict(loaded.quality)) == ("", "", {})


def test_a_key_given_twice_is_refused(path):
    path.write_text(path.read_text() + "serial: other\n")
    assert "serial: the key stands there twice" in refused(path)


def test_hand_written_exponents_and_bare_dates_are_understood(path):
    text = path.read_text().replace("1.0e-04", "1e-4").replace("0.0001", "1e-4").replace("'", "")
    path.write_text(text)
    loaded = load_calibration(path)
    assert loaded.right_from_left.translation_m[1] == 1e-4
    assert (loaded.made_at, loaded.serial) == ("2024-05-01T10:00:00+00:00", "0042")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# nothing but a comment\n",
        b"\x00\x01\x02\x03",
        bytes(range(256)),
        b"{a: [1, 2",
        b"a: b: c",
        b"just text",
        b"- 1\n- 2\n",
        b"a: &x [*x]\n",
        b"a: *nobody\n",
        b"? [1, 2]\n: 3\n",
        b"--- 1\n--- 2\n",
        b"%YAML:1.0\n---\nleft: !!opencv-matrix\n",
        b"[" * 1500,
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path, content):
    (tmp_path / "rig.yaml").write_bytes(content)
    refused(tmp_path / "rig.yaml")


@same_folder
@given(data=st.data())
def test_damaged_files_are_refused_or_read_but_never_crash(path, data):
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(0, 40))
    content[start : start + length] = data.draw(st.binary(max_size=8))
    damaged = path.with_name("damaged.yaml")
    damaged.write_bytes(content)
    try:
        load_calibration(damaged)
    except CalibrationError as error:
        assert error.exit_code == os.EX_DATAERR


def test_a_file_cut_short_is_refused_at_every_length(path):
    content = path.read_bytes()
    end = content.index(b"quality")
    for length in range(0, end, 7):
        path.write_bytes(content[:length])
        refused(path)


def test_missing_file_and_folder_are_told_from_bad_data(tmp_path):
    refused(tmp_path / "none.yaml", os.EX_NOINPUT)
    refused(tmp_path, os.EX_NOINPUT)


def test_a_file_that_this_user_may_not_read_is_told_from_bad_data(path, monkeypatch):
    def deny(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", deny)
    assert "Permission denied" in refused(path, os.EX_NOPERM)


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, os.EX_IOERR), (errno.EROFS, os.EX_CANTCREAT), (errno.EACCES, os.EX_NOPERM)],
)
def test_a_failed_save_keeps_the_old_file(path, calibration, monkeypatch, number, code):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(CalibrationError, match=os.strerror(number)) as caught:
        save_calibration(path, calibration)
    assert caught.value.exit_code == code
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_what_could_not_be_read_back_is_never_written(path, calibration):
    before = path.read_bytes()
    broken = StereoCalibration(
        calibration.left, calibration.right, calibration.right_from_left, {"rms_px": float("nan")}
    )
    with pytest.raises(CalibrationError, match=r"rms_px is \.nan"):
        save_calibration(path, broken)
    assert path.read_bytes() == before
