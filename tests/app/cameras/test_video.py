"""Stereo frames from video files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_device.app.cameras import CameraError
from roma_device.app.cameras.video import VideoCamera
from roma_device.app.cameras.video_stream import split_names
from roma_device.runtime.types import StereoFrame
from tests.app.command_line import call
from tests.logged import logged

WriteVideo = Callable[[str, int, tuple[int, int]], Path]


def read(spec: object) -> list[StereoFrame]:
    with VideoCamera.from_spec(str(spec)) as camera:
        return list(camera.frames())


def read_until_error(spec: object) -> tuple[int, CameraError]:
    """Number of frames before the error, and the error."""
    taken = 0
    with VideoCamera.from_spec(str(spec)) as camera:
        source = camera.frames()
        with pytest.raises(CameraError) as caught:
            while next(source):
                taken += 1
    return taken, caught.value


def test_side_by_side_video_is_cut_in_the_middle(write_video: WriteVideo) -> None:
    frames = read(write_video("my both.avi", 5, (96, 32)))
    assert len(frames) == 5
    assert frames[0].left.image.shape == frames[0].right.image.shape == (32, 48, 3)
    ramp = [float(image[..., 2].mean()) for image in (frames[0].left.image, frames[0].right.image)]
    assert ramp[0] == pytest.approx(15, abs=4)
    assert ramp[1] == pytest.approx(45, abs=4)


def test_frames_come_in_order_with_the_stamps_of_the_stream(write_video: WriteVideo) -> None:
    frames = read(write_video("both.avi", 6, (96, 32)))
    assert [frame.timestamp_ns for frame in frames] == [number * 40_000_000 for number in range(6)]
    brightness = [float(frame.left.image[..., 0].mean()) for frame in frames]
    np.testing.assert_allclose(brightness, [20 + 8 * number for number in range(6)], atol=4)


def test_two_videos_are_paired_frame_by_frame(write_video: WriteVideo) -> None:
    frames = read(f"{write_video('l.avi', 4, (48, 32))},{write_video('r.avi', 4, (48, 32))}")
    assert len(frames) == 4
    for frame in frames:
        np.testing.assert_array_equal(frame.left.image, frame.right.image)


def test_a_video_that_breaks_off_gives_its_good_frames_and_then_an_error(write_video: WriteVideo) -> None:
    path = write_video("both.avi", 40, (96, 32))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    taken, error = read_until_error(path)
    assert 10 < taken < 30
    assert f"both.avi breaks off after {taken} of 40 frames" in str(error)
    assert error.exit_code == os.EX_DATAERR


@pytest.mark.parametrize("shorter", ["l.avi", "r.avi"])
def test_videos_of_different_lengths_are_an_error_after_the_last_pair(write_video: WriteVideo, shorter: str) -> None:
    for name in ("l.avi", "r.avi"):
        path = write_video(name, 7 if name == shorter else 14, (48, 32))
    taken, error = read_until_error(f"{path.parent}/l.avi,{path.parent}/r.avi")
    assert taken == 7
    assert f"{shorter} ends after 7 frames" in str(error)
    assert error.exit_code == os.EX_DATAERR


def test_a_video_that_ends_a_frame_earlier_is_warned_of(write_video: WriteVideo) -> None:
    with logged("WARNING") as lines:
        assert len(read(f"{write_video('l.avi', 7, (48, 32))},{write_video('r.avi', 8, (48, 32))}")) == 7
    assert len(lines) == 1 and "l.avi ends after 7 frames, but" in lines[0]


def test_a_video_that_breaks_off_has_its_summary(
    write_video: WriteVideo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right = write_video("l.avi", 2, (64, 32)), write_video("r.avi", 9, (64, 32))
    words = ["--rectified", "--input-width", "64", "--engine", "opencv", "--output", str(tmp_path / "out")]
    code, out, err = call(capsys, "run", "--camera", f"video:{left},{right}", *words, "--save", "results")
    assert code == os.EX_DATAERR and "are they one recording?" in err
    assert "2 frames done, results in" in out
    assert json.loads((tmp_path / "out" / "run.json").read_text())["state"] == "failed"


def test_videos_of_different_sizes_are_an_error_that_names_both(write_video: WriteVideo) -> None:
    with pytest.raises(CameraError, match=r"l\.avi is 48x32.*r\.avi is 96x32") as caught:
        VideoCamera.from_spec(f"{write_video('l.avi', 2, (48, 32))},{write_video('r.avi', 2, (96, 32))}")
    assert caught.value.exit_code == os.EX_DATAERR


def test_an_odd_width_has_no_halves(write_video: WriteVideo) -> None:
    with pytest.raises(CameraError, match="97 px wide") as caught:
        VideoCamera.from_spec(str(write_video("odd.avi", 2, (97, 32))))
    assert caught.value.exit_code == os.EX_DATAERR


@pytest.mark.parametrize("spec", ["{0}/gone.avi", "{0}/both.avi,{0}/gone.avi", ""])
def test_a_missing_file_is_said_at_once(tmp_path: Path, write_video: WriteVideo, spec: str) -> None:
    write_video("both.avi", 2, (96, 32))
    with pytest.raises(CameraError, match="does not exist") as caught:
        VideoCamera.from_spec(spec.format(tmp_path))
    assert caught.value.exit_code == os.EX_NOINPUT


@pytest.mark.parametrize("name", ["text.avi", "text.mp4"])
def test_what_is_no_video_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("hello " * 100)
    with pytest.raises(CameraError, match=f"{name} cannot be opened as a video") as caught:
        VideoCamera.from_spec(str(tmp_path / name))
    assert caught.value.exit_code == os.EX_DATAERR


def test_the_decoder_prints_nothing_of_its_own(tmp_path: Path) -> None:
    """In a process of its own: FFmpeg keeps the level of messages that it was first used with."""
    path = tmp_path / "text.mp4"
    path.write_text("hello " * 100)
    lines = f"from roma_device.app.cameras import open_camera\ntry: open_camera('video:{path}')\nexcept Exception: pass"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout + done.stderr == ""


def test_commas_in_a_url_separate_only_before_another_url() -> None:
    assert split_names("http://host/a,b?c=1,2") == ("http://host/a,b?c=1,2",)
    assert split_names("rtsp://host/left,1,rtsp://host/right") == ("rtsp://host/left,1", "rtsp://host/right")


def test_a_third_video_is_a_usage_error() -> None:
    with pytest.raises(CameraError, match="3 videos") as caught:
        split_names("rtsp://a,rtsp://b,rtsp://c")
    assert caught.value.exit_code == os.EX_USAGE


# A URL that holds ",a://" is not told from two.
REST = st.text("abc/:?=.,", max_size=12).filter(lambda rest: re.search(r",[abc][abc.]*://", rest) is None)


@given(st.lists(REST.map(lambda rest: f"rtsp://h{rest}"), min_size=1, max_size=2))
def test_urls_come_back_as_they_were_joined(urls: list[str]) -> None:
    assert split_names(",".join(urls)) == tuple(urls)
