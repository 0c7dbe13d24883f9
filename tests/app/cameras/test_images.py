"""Stereo frames from image files."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.result_cases import KINDS, SHIFT_PX, grey, texture, write_inputs
from roma_device.app.cameras import CameraError
from roma_device.app.cameras.images import ImagesCamera, read_image
from roma_device.runtime.types import StereoFrame

GREY = np.arange(24, dtype=np.uint8).reshape(4, 6)


def write(path: Path, image: npt.NDArray[np.generic] = GREY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def read(spec: object) -> list[StereoFrame]:
    with ImagesCamera.from_spec(str(spec)) as camera:
        return list(camera.frames())


def brightness(frames: list[StereoFrame]) -> list[tuple[int, int]]:
    return [(int(frame.left.image[0, 0, 0]), int(frame.right.image[0, 0, 0])) for frame in frames]


def test_folders_are_paired_by_number_not_by_letter(image_folders: Path) -> None:
    expected = [(28, 33), (36, 41), (100, 105)]
    assert brightness(read(image_folders)) == expected
    assert brightness(read(f"{image_folders}/left,{image_folders}/right")) == expected


def test_patterns_select_files(image_folders: Path) -> None:
    frames = read(f"{image_folders}/left/*[12].png,{image_folders}/r*/*[12].png")
    assert brightness(frames) == [(28, 33), (36, 41)]


def test_two_files_are_one_pair_and_their_pixels_stay(tmp_path: Path) -> None:
    colour = np.dstack([GREY, GREY + 50, GREY + 100])
    (frame,) = read(f"{write(tmp_path / 'a.png')},{write(tmp_path / 'b.png', colour)}")
    np.testing.assert_array_equal(frame.left.image, GREY)
    np.testing.assert_array_equal(frame.right.image, colour)


def test_commas_in_names_are_told_from_the_one_between_them(tmp_path: Path) -> None:
    left, right = write(tmp_path / "a,b" / "l.png"), write(tmp_path / "a,b" / "r,2.png", GREY + 9)
    (frame,) = read(f"{left},{right}")
    assert int(frame.right.image[0, 0]) == 9


@pytest.mark.parametrize(
    ("left", "right"),
    [("im0", "im1"), ("left_07", "right_07"), ("scene_left", "scene_right"), ("Left1", "Right1"), ("left", "right")],
)
def test_names_within_a_folder_tell_the_side(tmp_path: Path, left: str, right: str) -> None:
    write(tmp_path / f"{left}.png")
    write(tmp_path / f"{right}.png", GREY + 100)
    write(tmp_path / "disp0.png")
    (frame,) = read(tmp_path)
    assert int(frame.left.image[0, 0]) == 0
    assert int(frame.right.image[0, 0]) == 100


def test_alpha_is_dropped(tmp_path: Path) -> None:
    rgba = np.dstack([GREY, GREY + 1, GREY + 2, GREY + 200])
    (frame,) = read(f"{write(tmp_path / 'a.png', rgba)},{write(tmp_path / 'b.png', rgba)}")
    np.testing.assert_array_equal(frame.left.image, rgba[..., :3])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(bits=st.sampled_from([10, 12, 14, 16]), grey=st.integers(0, 255))
def test_16_bit_files_keep_the_upper_eight_bits_of_their_sensor(tmp_path: Path, bits: int, grey: int) -> None:
    image = np.full((4, 6), grey << (bits - 8), np.uint16)
    bright = image.copy()
    bright[0, 0] = (1 << bits) - 1
    (frame,) = read(f"{write(tmp_path / 'a.png', image)},{write(tmp_path / 'b.png', bright)}")
    assert frame.left.image.dtype == np.uint8
    assert np.all(frame.left.image == grey)
    assert frame.right.image[0, 0] == 255


@pytest.mark.parametrize(
    "spec", ["{0}/a.png,{0}/gone.png", "{0}/gone", "{0}/empty,{0}/empty", "{0}/*.gif,{0}/*.png", ""]
)
def test_what_is_missing_is_said_when_the_camera_is_opened(tmp_path: Path, spec: str) -> None:
    write(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CameraError, match=r"does not exist|holds no|is no folder") as caught:
        ImagesCamera.from_spec(spec.format(tmp_path))
    assert caught.value.exit_code == os.EX_NOINPUT


def test_a_folder_without_pairs_says_which_names_it_looks_for(tmp_path: Path) -> None:
    write(tmp_path / "frame1.png")
    with pytest.raises(CameraError, match="left/ and right/") as caught:
        ImagesCamera.from_spec(str(tmp_path))
    assert caught.value.exit_code == os.EX_NOINPUT


def test_unequal_counts_are_an_error_that_names_both(tmp_path: Path) -> None:
    for name in ("l/a.png", "l/b.png", "r/a.png"):
        write(tmp_path / name)
    with pytest.raises(CameraError, match=r"holds 2 images and .* 1") as caught:
        ImagesCamera.from_spec(f"{tmp_path}/l,{tmp_path}/r")
    assert caught.value.exit_code == os.EX_DATAERR


@pytest.mark.parametrize("names", [("l/1.png", "l/2.png", "r/2.png", "r/3.png"), ("l/1.png", "l/2.png", "r/2.png")])
def test_a_number_that_one_side_lacks_is_named_instead_of_shifting_the_pairs(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        write(tmp_path / name)
    with pytest.raises(CameraError, match=r"1\.png has no partner") as caught:
        ImagesCamera.from_spec(f"{tmp_path}/l,{tmp_path}/r")
    assert caught.value.exit_code == os.EX_DATAERR


def test_a_file_without_partner_in_one_folder_is_named(tmp_path: Path) -> None:
    for name in ("left_1.png", "right_1.png", "right_2.png"):
        write(tmp_path / name)
    with pytest.raises(CameraError, match=r"right_2\.png has no partner"):
        ImagesCamera.from_spec(str(tmp_path))


def test_different_sizes_are_an_error_that_names_both(tmp_path: Path) -> None:
    left, right = write(tmp_path / "a.png"), write(tmp_path / "b.png", GREY.T)
    with pytest.raises(CameraError, match=r"a\.png is 6x4.*b\.png is 4x6") as caught:
        read(f"{left},{right}")
    assert caught.value.exit_code == os.EX_DATAERR


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_damaged_file_is_one_sentence_after_the_good_frames(
    image_folders: Path, suffix: str, kept: float, capfd: pytest.CaptureFixture[str]
) -> None:
    texture = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    for side in ("left", "right"):
        write(image_folders / side / f"{side}99{suffix}", texture)
    broken = image_folders / "right" / f"right99{suffix}"
    data = broken.read_bytes()
    broken.write_bytes(data[: int(kept * len(data))])
    with ImagesCamera.from_spec(str(image_folders)) as camera:
        source = camera.frames()
        assert [next(source).left.sequence for _ in range(3)] == [0, 1, 2]
        with pytest.raises(CameraError, match=f"right99{suffix} is not an image, or it is damaged") as caught:
            next(source)
    assert caught.value.exit_code == os.EX_DATAERR
    assert capfd.readouterr().err == ""


def test_text_that_is_called_png_is_no_image(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_text("not an image")
    with pytest.raises(CameraError, match=r"a\.png is not an image"):
        read(f"{tmp_path}/a.png,{tmp_path}/a.png")
    assert capfd.readouterr().err == ""


def test_pixels_of_floats_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tiff", GREY.astype(np.float32))
    with pytest.raises(CameraError, match="float32 pixels") as caught:
        read(f"{path},{path}")
    assert caught.value.exit_code == os.EX_DATAERR


def test_what_stands_behind_the_end_of_a_jpeg_does_no_harm_and_a_thumbnail_is_no_end(tmp_path: Path) -> None:
    """Phones append films, cameras their empty buffers; a thumbnail is a whole JPEG in the head of another."""
    picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    whole = cv2.imencode(".jpg", picture)[1].tobytes()
    (tmp_path / "behind.jpg").write_bytes(whole + bytes(100_000))
    assert np.array_equal(read_image(tmp_path / "behind.jpg"), cv2.imdecode(np.frombuffer(whole, np.uint8), 1))
    head = b"\xff\xe1" + (len(whole) + 2).to_bytes(2, "big") + whole
    (tmp_path / "torn.jpg").write_bytes(whole[:2] + head + whole[2 : len(whole) // 2])
    with pytest.raises(CameraError, match="damaged"):
        read_image(tmp_path / "torn.jpg")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_picture(tmp_path: Path, kind: str) -> None:
    """To the bit where the file keeps all; the pair is that of the regression test of results."""
    pairs = dict(write_inputs(tmp_path / "inputs"))
    left, right = (tmp_path / half for half in split_pair_of(pairs[kind], tmp_path))
    with ImagesCamera.from_spec(f"{left},{right}") as camera:
        (frame,) = camera.frames()
    colour = texture()[: frame.left.image.shape[0]]
    whole = grey(colour) if frame.left.image.ndim == 2 else colour
    width = frame.left.image.shape[1]
    for image, start in ((frame.left.image, 0), (frame.right.image, SHIFT_PX)):
        off = np.abs(image.astype(int) - whole[:, start : start + width].astype(int))
        assert off.mean() < 3 if kind in ("jpeg", "webp") else not off.any()


def split_pair_of(pair: str, folder: Path) -> tuple[str, str]:
    """The two halves that exist in a folder, whatever commas are in them."""
    at = next(at for at, letter in enumerate(pair) if letter == "," and (folder / pair[:at]).is_file())
    return pair[:at], pair[at + 1 :]
