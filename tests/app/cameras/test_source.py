"""Frames for the loop: the newest of a live camera, every one of all others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_device.app.cameras import CameraError, CaptureCounts
from roma_device.app.cameras.mailbox import Mailbox
from roma_device.app.cameras.source import FileSource, LiveSource, RateLimit, open_source
from roma_device.app.recording.recorder import Recorder
from roma_device.runtime.types import Frame, StereoFrame


def pair(sequence: int) -> StereoFrame:
    image = np.full((4, 8), sequence % 256, np.uint8)
    now_ns = time.monotonic_ns()
    return StereoFrame(Frame(image, now_ns, sequence), Frame(image.copy(), now_ns, sequence))


class StubLive:
    """Gives ``count`` frames, each as soon as ``allow`` lets it; then ends, breaks, or goes on waiting."""

    calibration = None

    def __init__(self, count: int, failure: Exception | None = None, patient: bool = False) -> None:
        self.counts, self.allow = CaptureCounts(), threading.Semaphore(0)
        self.count, self.failure, self.patient = count, failure, patient
        self.stopped, self.given = threading.Event(), threading.Semaphore(0)

    def frames(self) -> Iterator[StereoFrame]:
        for sequence in range(self.count):
            while not self.allow.acquire(timeout=0.01):
                if self.stopped.is_set():
                    return
            yield pair(sequence)
            self.given.release()
        if self.failure is not None:
            raise self.failure
        if self.patient:
            self.stopped.wait()

    def stop(self) -> None:
        self.stopped.set()

    def __enter__(self) -> StubLive:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def live(camera: StubLive, max_fps: float | None = None, stop: threading.Event | None = None) -> LiveSource:
    source = open_source(camera, stop or threading.Event(), max_fps)  # type: ignore[arg-type]
    assert isinstance(source, LiveSource)
    return source


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    camera = StubLive(5)
    with live(camera) as source:
        camera.allow.release(5)
        for _ in range(5):
            assert camera.given.acquire(timeout=5)
        frames = list(source.frames())
    assert [frame.left.sequence for frame in frames] == [4]
    assert camera.counts.dropped["overwritten"] == 4
    assert 0 < source.mailbox_age_ns < 5e9


def test_none_is_lost_when_each_is_taken_in_time() -> None:
    camera = StubLive(5)
    taken = []
    with live(camera) as source:
        camera.allow.release()
        for frame in source.frames():
            taken.append(frame.left.sequence)
            assert not source.has_frame()
            camera.allow.release()
    assert taken == [0, 1, 2, 3, 4] and camera.counts.total_dropped == 0


def test_what_breaks_the_camera_reaches_the_loop_after_the_last_frame() -> None:
    camera = StubLive(1, CameraError("the plug is out"))
    camera.allow.release()
    with live(camera) as source, pytest.raises(CameraError, match="plug"):
        for frame in source.frames():
            assert frame.left.sequence == 0


def test_stop_ends_the_wait_for_a_camera_that_gives_nothing() -> None:
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    camera = StubLive(1, patient=True)
    with live(camera, stop=stop) as source:
        assert list(source.frames()) == []
    assert camera.stopped.is_set()


def test_a_driver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roma_device.app.cameras.source.STOP_PATIENCE_S", 0.05)
    camera = StubLive(0, patient=True)
    camera.stop = lambda: None  # type: ignore[method-assign]
    stop = threading.Event()
    stop.set()
    with live(camera, stop=stop) as source:
        assert list(source.frames()) == []
    camera.stopped.set()


def test_a_rate_limit_passes_no_more_than_it_should() -> None:
    limit, stop = RateLimit(50), threading.Event()
    begun = time.monotonic()
    for _ in range(6):
        limit.wait(stop)
        limit.count()
    assert time.monotonic() - begun >= 5 / 50
    assert not limit.is_due and RateLimit().is_due
    stop.set()
    limit.wait(stop)  # does not wait any more


def test_files_lose_nothing_and_are_recorded_whole(tmp_path: Path) -> None:
    class Plain:
        calibration = None

        def frames(self) -> Iterator[StereoFrame]:
            yield from (pair(sequence) for sequence in range(40))

        def __enter__(self) -> Plain:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    with Recorder(tmp_path, wait=True) as recorder:
        source = open_source(Plain(), threading.Event(), recorder=recorder)
        assert isinstance(source, FileSource)
        with source:
            assert [frame.left.sequence for frame in source.frames()] == list(range(40))
    assert recorder.written == 40 and recorder.lost == 0


@given(st.lists(st.sampled_from(["put", "take"]), max_size=40))
def test_a_mailbox_holds_the_newest_and_counts_the_rest(actions: list[str]) -> None:
    box: Mailbox[int] = Mailbox()
    put = taken = 0
    for action in actions:
        if action == "put":
            put += 1
            box.put(put)
        else:
            item = box.take(0)
            assert item is None or item == put
            taken += item is not None
    assert put == taken + box.overwritten + box.is_full
