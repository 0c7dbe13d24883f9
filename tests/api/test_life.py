"""Beginning and end of a StereoDepth: stop, close, threads, garbage."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from roma_device import Camera, RomaError, StereoCalibration, StereoDepth, StereoFrame
from tests.api.conftest import REPLAY


class Waiting(Camera):
    """Gives frames when it is told to."""

    def __init__(self, frame: StereoFrame) -> None:
        self._frame = frame
        self.asked, self.go = threading.Event(), threading.Event()

    def frames(self) -> Iterator[StereoFrame]:
        while True:
            self.asked.set()
            self.go.wait(10)
            yield self._frame


def test_a_loop_may_be_left_and_gone_on_with() -> None:
    with StereoDepth(REPLAY, engine="null") as stereo:
        first = [frame.index for frame in islice(stereo, 2)]
        for frame in stereo:
            first.append(frame.index)
            break
        assert (*first, next(stereo).index) == (0, 1, 2, 3)


def test_after_its_end_a_loop_has_nothing_more() -> None:
    with StereoDepth(REPLAY, frames=2, engine="null") as stereo:
        assert (len(list(stereo)), len(list(stereo))) == (2, 0)


def test_stop_ends_the_loop_but_closes_nothing(frames: list[StereoFrame]) -> None:
    with StereoDepth(REPLAY, engine="null") as stereo:
        for frame in stereo:
            if frame.index == 2:
                stereo.stop()
        assert frame.index == 2
        assert stereo.match(frames[0].left.image, frames[0].right.image).index == 0


def test_stop_may_come_from_another_thread() -> None:
    with StereoDepth(REPLAY, engine="null") as stereo:
        threading.Timer(0.2, stereo.stop).start()
        assert len(list(stereo)) > 0


def test_closed_is_closed(frames: list[StereoFrame]) -> None:
    stereo = StereoDepth(REPLAY, engine="null")
    next(stereo)
    stereo.close()
    stereo.close()
    stereo.stop()
    left, right = frames[0].left.image, frames[0].right.image
    uses: list[Any] = [lambda: next(stereo), lambda: list(stereo), lambda: stereo.match(left, right), stereo.__enter__]
    for use in uses:
        with pytest.raises(RomaError, match="is closed: make a new one"):
            use()


def test_a_second_thread_is_refused(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    camera = Waiting(frames[0])
    stereo = StereoDepth(camera, calibration=rig, engine="null")
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.extend(frame.index for frame in stereo))
    thread.start()
    assert camera.asked.wait(10)
    left, right = frames[0].left.image, frames[0].right.image
    uses: list[Any] = [lambda: next(stereo), lambda: stereo.match(left, right), stereo.close]
    for use in uses:
        with pytest.raises(RomaError, match="one thread at a time"):
            use()
    camera.go.set()
    stereo.stop()
    thread.join(10)
    assert not thread.is_alive()
    stereo.close()


def test_a_camera_that_uses_its_own_stereo_depth_is_refused(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    def pairs() -> Iterator[StereoFrame]:
        stereo.match(frames[0].left.image, frames[0].right.image)
        yield frames[0]

    with StereoDepth(pairs(), calibration=rig, engine="null") as stereo, pytest.raises(RomaError, match="inside"):
        list(stereo)


def test_another_thread_may_go_on_and_close() -> None:
    stereo = StereoDepth(REPLAY, engine="null")
    next(stereo)
    found: list[int] = []

    def go_on() -> None:
        found.append(next(stereo).index)
        stereo.close()

    thread = threading.Thread(target=go_on)
    thread.start()
    thread.join(10)
    assert found == [1]


def test_an_object_that_is_forgotten_is_closed(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    closed: list[bool] = []

    class Told(Waiting):
        def __exit__(self, *_: object) -> None:
            closed.append(True)

    camera = Told(frames[0])
    camera.go.set()
    stereo = StereoDepth(camera, calibration=rig, engine="null")
    next(stereo)
    stereo.match(frames[0].left.image, frames[0].right.image)
    gone = weakref.ref(stereo)
    del stereo
    gc.collect()
    assert gone() is None and closed == [True]


def test_a_failed_match_leaves_nothing_behind(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    left, right = frames[0].left.image, frames[0].right.image
    with StereoDepth(calibration=rig, engine="null") as stereo:
        for bad in (left[:50], left.astype(float), "left.png"):
            with pytest.raises(RomaError):
                stereo.match(bad, right)  # type: ignore[arg-type]
        assert stereo.match(left, right).index == 0
