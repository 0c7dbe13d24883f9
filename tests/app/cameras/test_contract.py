"""What every camera promises, whatever it reads from."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.cameras import CAMERAS, CameraError, open_camera
from roma_device.app.recording.recorder import Recorder, new_session

WriteVideo = Callable[[str, int, tuple[int, int]], Path]


@pytest.fixture(params=sorted(CAMERAS))
def spec(request: pytest.FixtureRequest, image_folders: Path, write_video: WriteVideo) -> str:
    """A camera of each kind that ends after three frames."""
    specs = {
        "images": f"images:{image_folders}",
        "video": f"video:{write_video('both.avi', 3, (96, 32))}",
        "simulated": "simulated:board?frames=3&size=96x64",
    }
    if request.param == "recording":
        return f"recording:{_recorded(specs['simulated'], image_folders.parent / 'recordings')}"
    if request.param not in specs:
        pytest.skip(f"{request.param} cameras need hardware")
    return specs[request.param]


def _recorded(spec: str, parent: Path) -> Path:
    folder = new_session(parent, {}, None)
    with open_camera(spec) as camera, Recorder(folder, wait=True) as recorder:
        for frame in camera.frames():
            recorder.offer(frame)
    return folder


def test_frames_are_stereo_pairs_of_8_bits_in_their_own_memory(spec: str) -> None:
    with open_camera(spec) as camera:
        frames = list(camera.frames())
    assert len(frames) == 3
    for frame in frames:
        assert frame.left.image.shape == frame.right.image.shape
        assert frame.left.image.dtype == frame.right.image.dtype == np.uint8
        assert frame.left.image.flags.c_contiguous
        assert not np.shares_memory(frame.left.image, frame.right.image)
    assert not np.shares_memory(frames[0].left.image, frames[1].left.image)


def test_stamps_rise_and_are_equal_within_a_pair(spec: str) -> None:
    with open_camera(spec) as camera:
        frames = list(camera.frames())
    stamps = [frame.timestamp_ns for frame in frames]
    assert all(later > earlier for earlier, later in pairwise(stamps))
    assert [frame.skew_ns for frame in frames] == [0, 0, 0]
    assert [frame.left.sequence for frame in frames] == [0, 1, 2]


def test_a_frame_stays_the_same_while_later_ones_are_taken(spec: str) -> None:
    with open_camera(spec) as camera:
        source = camera.frames()
        first = next(source)
        before = first.left.image.copy()
        list(source)
    np.testing.assert_array_equal(first.left.image, before)


def test_an_unknown_kind_is_a_usage_error_that_lists_the_known_ones() -> None:
    with pytest.raises(CameraError, match=r"'webcam'.*images, pipe, recording, shm, simulated, v4l2, video") as caught:
        open_camera("webcam:0")
    assert caught.value.exit_code == os.EX_USAGE
