"""The loop: order, limits, and sinks that fail."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from roma_device.app.cameras.source import open_source
from roma_device.app.run import loop
from roma_device.app.run.loop import ResizingPipeline, run_frames, stop_on_signals
from roma_device.app.sinks import SinkError
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.runtime.card import ModelCard
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.pipeline import StereoPipeline
from roma_device.runtime.types import Frame, Result, StereoFrame


class ListedCamera:
    """Gives frames of the listed sizes."""

    calibration = None

    def __init__(self, *sizes: tuple[int, int]) -> None:
        self.sizes, self.given = sizes, 0

    def frames(self) -> Iterator[StereoFrame]:
        for sequence, (width, height) in enumerate(self.sizes):
            image = np.random.default_rng(sequence).integers(0, 256, (height, width), dtype=np.uint8)
            self.given += 1
            yield StereoFrame(Frame(image, sequence, sequence), Frame(image, sequence, sequence))

    def __enter__(self) -> ListedCamera:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Recorder:
    """Remembers what it got; fails on the listed indices."""

    def __init__(self, *failing: int) -> None:
        self.failing, self.got, self.is_open = failing, [], False

    def write(self, result: Result) -> None:
        self.got.append(result.index)
        if result.index in self.failing:
            raise SinkError("the disk is full")

    def __enter__(self) -> Recorder:
        self.is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_open = False


@pytest.fixture
def pipelines(stereo_card: ModelCard) -> ResizingPipeline:
    def rectification(size: tuple[int, int]) -> Rectification:
        return Rectification.identity(RectifiedRig(size, None, None, size[0] / 2, size[1] / 2))

    options = NetworkOptions(engine="opencv", input_width=64)
    return ResizingPipeline(rectification, lambda one: StereoPipeline(stereo_card, one, options))


def run(camera: ListedCamera, pipelines: ResizingPipeline, sinks: SinkSet, limit: int | None = None) -> list[int]:
    source = open_source(camera, threading.Event())
    return [result.index for result in run_frames(source, pipelines, sinks, limit)]


def test_every_frame_reaches_every_sink_in_order(pipelines: ResizingPipeline) -> None:
    first, second = Recorder(), Recorder()
    sinks = SinkSet({"first": first, "second": second})
    assert run(ListedCamera(*[(64, 32)] * 4), pipelines, sinks) == [0, 1, 2, 3]
    assert first.got == second.got == [0, 1, 2, 3]
    assert not first.is_open and pipelines.current is None and not sinks.failed


def test_limit_ends_the_run(pipelines: ResizingPipeline) -> None:
    camera = ListedCamera(*[(64, 32)] * 9)
    assert run(camera, pipelines, SinkSet({}), limit=2) == [0, 1]
    assert camera.given <= 3


def test_a_failing_sink_neither_stops_the_run_nor_the_other_sinks(pipelines: ResizingPipeline) -> None:
    bad, good = Recorder(1, 3), Recorder()
    sinks = SinkSet({"bad": bad, "good": good})
    run(ListedCamera(*[(64, 32)] * 4), pipelines, sinks)
    assert good.got == bad.got == [0, 1, 2, 3]
    assert sinks.failed == {"bad"}


def test_frames_may_change_their_size(pipelines: ResizingPipeline) -> None:
    sizes = [(64, 32), (96, 64), (96, 64), (64, 32)]
    results = run_frames(open_source(ListedCamera(*sizes), threading.Event()), pipelines, SinkSet({}))
    assert [result.valid.shape[::-1] for result in results] == sizes


class TwoAtOnce:
    """A pipeline that keeps a frame until the next one was submitted, and loses what it holds when it is closed."""

    capacity, engine = 2, None

    def __init__(self, rectification: Rectification) -> None:
        self.rig, self.held = rectification.rig, deque()

    @property
    def pending(self) -> int:
        return len(self.held)

    def submit(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> None:
        assert frame.size == self.rig.size
        self.held.append(SimpleNamespace(index=index))

    def collect(self) -> Result:
        return self.held.popleft()

    def close(self) -> None:
        self.held.clear()


def test_no_frame_under_way_is_lost_where_the_size_changes() -> None:
    pipelines = ResizingPipeline(
        lambda size: Rectification.identity(RectifiedRig(size, None, None, size[0] / 2, size[1] / 2)), TwoAtOnce
    )
    sizes = [(64, 32), (64, 32), (96, 64), (64, 32), (64, 32)]
    sink = Recorder()
    assert run(ListedCamera(*sizes), pipelines, SinkSet({"sink": sink})) == [0, 1, 2, 3, 4]
    assert sink.got == [0, 1, 2, 3, 4]


def test_signals_end_the_run_after_the_frame_at_hand(pipelines: ResizingPipeline) -> None:
    sink = Recorder()
    with stop_on_signals() as stop:
        source = open_source(ListedCamera(*[(64, 32)] * 9), stop)
        for result in run_frames(source, pipelines, SinkSet({"sink": sink})):
            if result.index == 1:
                os.kill(os.getpid(), signal.SIGTERM)
    assert sink.got == [0, 1] and not sink.is_open
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_hangs_is_ended_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "STOP_LIMIT_S", 0.05)
    forced: queue.Queue[int] = queue.Queue()
    with stop_on_signals(force=forced.put) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
        assert forced.get(timeout=5) == os.EX_SOFTWARE
