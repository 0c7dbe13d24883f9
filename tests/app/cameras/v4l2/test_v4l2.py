"""V4L2 cameras over a kernel of our own: what they give, what they drop and why, and how they come back."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from roma_device.app.cameras import CameraError, LiveCamera
from roma_device.app.cameras.v4l2 import abi as abi
from roma_device.app.cameras.v4l2.camera import V4l2Camera
from roma_device.app.cameras.v4l2.discover import cameras_as_text, find_cameras
from roma_device.app.cameras.v4l2.frame_check import FROZEN_AFTER, FreezeCheck
from roma_device.app.cameras.v4l2.spec import V4l2Spec
from roma_device.runtime.types import StereoFrame

from .fake_kernel import FakeCamera, FakeKernel

MS = 1_000_000


class Rig(FakeKernel):
    """Two cameras that deliver a pair, 1 ms apart, whenever somebody waits; ``spoil`` may change what they give."""

    def __init__(self, **changes: object) -> None:
        super().__init__(video0=FakeCamera(**changes), video1=FakeCamera(**changes))  # type: ignore[arg-type]
        self.left, self.right = self.cameras.values()
        self.number = 0
        self.on_wait = self.deliver

    def deliver(self) -> None:
        self.number += 1
        now_ns = time.monotonic_ns() - 5 * MS
        for delay_ns, camera in ((0, self.left), (MS, self.right)):
            if camera.streaming and camera.is_there:
                camera.deliver(now_ns + delay_ns, self.number)


def opened(kernel: FakeKernel, query: str = "") -> V4l2Camera:
    return V4l2Camera(V4l2Spec.parse(f"/dev/video0,/dev/video1{query}"), kernel)


def take(camera: V4l2Camera, count: int) -> list[StereoFrame]:
    return list(islice(camera.frames(), count))


def test_pairs_carry_the_kernels_stamps_and_own_their_memory() -> None:
    rig = Rig()
    with opened(rig) as camera:
        assert isinstance(camera, LiveCamera)
        first, second = islice(camera.frames(), 2)
        before = first.left.image.copy()
        take(camera, 3)
    assert first.skew_ns == MS and first.left.sequence == 1 and second.left.sequence == 2
    assert first.left.image.shape == (48, 64, 3) and first.left.image.dtype == np.uint8
    np.testing.assert_array_equal(first.left.image, before)
    assert camera.counts.pairs == 5 and camera.counts.total_dropped == 0
    assert rig.left.opened == rig.right.opened == 0 and not rig.left.streaming


@pytest.mark.parametrize(("format", "shape"), [("GREY", (48, 64)), ("YUYV", (48, 64, 3)), ("UYVY", (48, 64, 3))])
def test_formats_become_images(format: str, shape: tuple[int, ...]) -> None:
    with opened(Rig(formats=("H264", format))) as camera:
        (frame,) = take(camera, 1)
    assert frame.left.image.shape == shape


def test_of_several_waiting_pairs_only_the_newest_counts() -> None:
    rig = Rig()

    def three_at_once() -> None:
        for age_ms in (90, 60, 30):
            rig.number += 1
            for delivering in (rig.left, rig.right):
                delivering.deliver(time.monotonic_ns() - age_ms * MS, rig.number)

    rig.on_wait = three_at_once
    with opened(rig) as camera:
        (frame,) = take(camera, 1)
    assert (frame.left.sequence, frame.right.sequence) == (3, 3)


def spoiled(rig: Rig, field: str) -> dict[str, int]:
    """What is dropped until five good pairs came; every second frame of the left camera is spoiled."""

    def deliver() -> None:
        rig.deliver()
        frame = rig.left.frames[-1] if rig.left.frames else None
        if frame is None or rig.number % 2:
            return
        if field == "damaged":
            frame.flags |= abi.BUF_FLAG_ERROR
        elif field == "torn":
            frame.data = frame.data[: len(frame.data) // 2]
        elif field == "unpaired":
            rig.left.frames.pop()
        elif field == "black":
            frame.data = bytes([16, 128]) * (len(frame.data) // 2)

    rig.on_wait = deliver
    with opened(rig) as camera:
        for frame in islice(camera.frames(), 5):
            assert abs(frame.skew_ns) <= 10 * MS
    return {reason: count for reason, count in camera.counts.dropped.items() if count}


@pytest.mark.parametrize("reason", ["damaged", "torn", "unpaired", "black"])
def test_what_is_no_good_is_dropped_with_its_reason(reason: str) -> None:
    dropped = spoiled(Rig(), reason)
    assert dropped[reason] >= 2
    assert set(dropped) <= {reason, "unpaired"}  # the partner of a frame that is dropped alone finds none


def test_a_frame_from_before_anybody_looked_is_stale() -> None:
    rig = Rig()
    with opened(rig) as camera:
        rig.left.deliver(time.monotonic_ns() - 2000 * MS, 1)
        take(camera, 1)
    assert camera.counts.dropped["stale"] == 1


def test_stamps_that_do_not_rise_or_are_yet_to_come_are_no_stamps() -> None:
    rig = Rig()
    with opened(rig) as camera:
        take(camera, 1)
        rig.left.deliver(time.monotonic_ns() - 500 * MS, 7)
        rig.right.deliver(time.monotonic_ns() + 10**12, 7)
        take(camera, 1)
        assert camera.counts.dropped["timestamp"] >= 1


def test_the_same_picture_again_and_again_is_frozen_but_a_dark_room_is_not_black() -> None:
    rig = Rig(formats=("GREY",))

    def deliver() -> None:
        rig.deliver()
        if 5 < rig.number < 30:
            rig.left.frames[-1].data = bytes(rig.left.frame_bytes)
            rig.right.frames[-1].data = bytes([rig.number % 3]) * rig.right.frame_bytes

    rig.on_wait = deliver
    with opened(rig) as camera:
        take(camera, 20)
    dropped = {reason: count for reason, count in camera.counts.dropped.items() if count}
    assert set(dropped) == {"frozen"} and dropped["frozen"] >= 10


def test_only_repetitions_in_a_row_are_a_frozen_picture() -> None:
    check, (one, other) = FreezeCheck(), (np.full((16, 16), level, np.uint8) for level in (1, 2))
    for _ in range(5):
        assert not any(check.look(one) for _ in range(FROZEN_AFTER))
        assert not check.look(other)
    assert [check.look(other) for _ in range(FROZEN_AFTER)] == [False] * (FROZEN_AFTER - 1) + [True]


def test_one_device_may_deliver_both_sides() -> None:
    kernel = FakeKernel(video0=FakeCamera(formats=("GREY",), sizes=((128, 48),)))
    camera = kernel.cameras["/dev/video0"]
    kernel.on_wait = lambda: camera.deliver(time.monotonic_ns(), 1)
    with V4l2Camera(V4l2Spec.parse("/dev/video0?size=64x48"), kernel) as both:
        frame = next(iter(both.frames()))
    assert frame.size == (64, 48) and frame.skew_ns == 0
    assert not np.shares_memory(frame.left.image, frame.right.image)


def test_exposure_and_gain_are_set_alike() -> None:
    controls = {abi.CID_EXPOSURE_AUTO: (0, 3, 3), abi.CID_EXPOSURE_ABSOLUTE: (1, 500, 9), abi.CID_GAIN: (0, 64, 3)}
    rig = Rig(controls=dict(controls))
    rig.right.controls = dict(controls)
    with opened(rig, "?exposure=120&gain=7"):
        for camera in (rig.left, rig.right):
            assert [camera.controls[each][2] for each in controls] == [abi.EXPOSURE_MANUAL, 120, 7]
    with opened(rig):
        assert rig.left.controls[abi.CID_EXPOSURE_AUTO][2] == abi.EXPOSURE_APERTURE_PRIORITY
    with pytest.raises(CameraError, match="exposure=900 is not within 1 to 500"):
        opened(rig, "?exposure=900")
    assert rig.left.opened == rig.right.opened == 0


def test_a_camera_that_vanishes_comes_back() -> None:
    rig = Rig()

    def deliver() -> None:
        rig.deliver()
        if rig.number == 4:
            rig.left.is_there = False
            threading.Timer(0.6, lambda: setattr(rig.left, "is_there", True)).start()

    rig.on_wait = deliver
    with opened(rig) as camera:
        frames = take(camera, 8)
    assert len(frames) == 8 and camera.counts.reconnects == 1
    assert rig.left.opened == rig.right.opened == 0


def test_frames_that_wait_for_a_partner_do_not_keep_a_camera_busy() -> None:
    rig = Rig()

    def deliver() -> None:
        rig.number += 1
        if rig.number == 2:
            rig.right.deliver(time.monotonic_ns(), rig.number)
        elif rig.number == 3:
            rig.left.deliver(time.monotonic_ns(), rig.number)
            rig.left.failures = {abi.DQBUF: errno.EIO}
        else:
            rig.left.failures = {}
            rig.number -= 1
            Rig.deliver(rig)

    rig.on_wait = deliver
    with opened(rig, "?reconnect_s=1") as camera:
        assert len(take(camera, 4)) == 4
    assert camera.counts.reconnects == 1 and rig.left.opened == rig.right.opened == 0


def test_a_camera_that_stays_away_ends_the_frames_with_its_reason() -> None:
    rig = Rig()
    with opened(rig, "?reconnect_s=0.5") as camera:
        source = camera.frames()
        next(source)
        rig.right.is_there = False
        with pytest.raises(CameraError, match=r"/dev/video1 does not exist.*given up after 0.5 s") as caught:
            list(source)
    assert caught.value.exit_code == os.EX_UNAVAILABLE and not camera.counts.is_connected


def test_cameras_that_give_nothing_usable_say_what_they_gave() -> None:
    rig = Rig()

    def deliver() -> None:
        rig.left.deliver(time.monotonic_ns(), 1)
        rig.right.deliver(time.monotonic_ns() + 10**12, 1)
        time.sleep(0.01)

    rig.on_wait = deliver
    with opened(rig, "?timeout_s=0.2&reconnect_s=0") as camera, pytest.raises(CameraError) as caught:
        list(camera.frames())
    assert "no usable pair for 0.2 s" in str(caught.value) and "timestamp" in str(caught.value)


def test_it_may_wait_for_cameras_at_the_start_and_be_stopped_meanwhile() -> None:
    rig = Rig()
    rig.right.is_there = False
    with opened(rig, "?wait_s=30") as camera:
        threading.Timer(0.3, lambda: setattr(rig.right, "is_there", True)).start()
        assert len(take(camera, 2)) == 2
    rig.right.is_there = False
    with opened(rig, "?wait_s=30") as camera:
        threading.Timer(0.1, camera.stop).start()
        assert list(camera.frames()) == []


PROBLEMS = {
    "busy": ({abi.S_FMT: errno.EBUSY}, "in use by another program", os.EX_UNAVAILABLE),
    "no permission": ({0: errno.EACCES}, "no permission to use /dev/video1.*group", os.EX_NOPERM),
    "bandwidth": ({abi.STREAMON: errno.ENOSPC}, "USB bus has no bandwidth.*disk is fine.*MJPG", os.EX_UNAVAILABLE),
    "no camera": ({abi.QUERYCAP: errno.ENOTTY}, "is no camera", os.EX_UNAVAILABLE),
    "broken": ({abi.REQBUFS: errno.EIO}, "cannot get buffers of camera /dev/video1", os.EX_UNAVAILABLE),
}


@pytest.mark.parametrize("problem", list(PROBLEMS))
def test_what_the_kernel_refuses_is_said_in_words_that_help(problem: str) -> None:
    failures, words, code = PROBLEMS[problem]
    rig = Rig()
    rig.right.failures = failures
    with pytest.raises(CameraError, match=words) as caught:
        opened(rig)
    assert caught.value.exit_code == code
    assert rig.left.opened == rig.right.opened == 0


def test_formats_and_sizes_that_do_not_fit_are_named_with_those_that_are_offered() -> None:
    with pytest.raises(CameraError, match="offers H264, HEVC, but none of YUYV, UYVY"):
        opened(Rig(formats=("H264", "HEVC")))
    with pytest.raises(CameraError, match=r"no YUYV at 640x480.*offers 64x48"):
        opened(Rig(), "?size=640x480")
    uneven = Rig(sizes=((64, 48), (32, 24)))
    uneven.right.sizes = ((96, 64),)
    with pytest.raises(CameraError, match="differ in size"):
        opened(uneven)


BAD_SPECS = {
    "": "needs LEFT,RIGHT or one DEVICE",
    "/dev/video0,": "needs LEFT,RIGHT",
    "a,b,c": "needs LEFT,RIGHT",
    "0,/dev/video0": "same device",
    "0,1?exposure=bright": "neither auto nor a whole number",
    "0,1?size=big": "not WIDTHxHEIGHT",
    "0,1?fps=nan": "not a number from",
    "0,1?format=H264": "cannot be decoded",
    "0,1?fsp=30": "unknown option 'fsp'",
}


@pytest.mark.parametrize("text", list(BAD_SPECS))
def test_wrong_usage(text: str) -> None:
    with pytest.raises(CameraError, match=BAD_SPECS[text]) as caught:
        V4l2Spec.parse(text)
    assert caught.value.exit_code == os.EX_USAGE


def test_the_list_names_formats_stable_names_and_problems(tmp_path: Path) -> None:
    root = tmp_path
    (root / "dev/v4l/by-path").mkdir(parents=True)
    for name in ("video0", "video1", "video10"):
        (root / "dev" / name).touch()
    (root / "dev/v4l/by-path/usb-1.2-video-index0").symlink_to("../../video0")
    kernel = FakeKernel()
    kernel.cameras = {
        f"{root}/dev/video0": FakeCamera(formats=("YUYV", "H264")),
        f"{root}/dev/video1": FakeCamera(capabilities=abi.CAP_STREAMING),
        f"{root}/dev/video10": FakeCamera(failures={0: errno.EACCES}),
    }
    found = find_cameras(root, kernel)
    assert [camera.path for camera in found] == [f"{root}/dev/video0", f"{root}/dev/video10"]
    assert found[0].stable_path.endswith("usb-1.2-video-index0") and found[1].problem
    text = cameras_as_text(found)
    assert "YUYV     64x48@30" in text and "H264 (not decoded" in text and "no permission" in text
    assert "no camera" in cameras_as_text([])


def test_structures_have_the_kernels_sizes() -> None:
    if ctypes.sizeof(ctypes.c_void_p) == 8:
        assert {kind: ctypes.sizeof(kind) for kind in abi.SIZES_64_BIT} == abi.SIZES_64_BIT
