"""The loop: frames from a camera through the pipeline into the sinks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice

from loguru import logger

from roma_device.calibration.errors import RomaError
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.types import Result, StereoFrame

from .cameras import Camera
from .pipeline import StereoPipeline
from .sinks import Sink

MAX_SINK_FAILURES = 3
"""A sink that fails so often in a row is closed; the run goes on without it."""


@dataclass(slots=True)
class SinkSet:
    """Writes to every sink in order; one that fails never stops the others."""

    sinks: dict[str, Sink]
    failures: dict[str, int] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def write(self, result: Result) -> None:
        for name, sink in list(self.sinks.items()):
            try:
                sink.write(result)
                self.failures[name] = 0
            except RomaError as error:
                self._count(name, error)

    def _count(self, name: str, error: RomaError) -> None:
        self.failed.add(name)
        self.failures[name] = self.failures.get(name, 0) + 1
        logger.error("{}", error)
        if self.failures[name] >= MAX_SINK_FAILURES:
            logger.error("giving up on saving {} after {} failures in a row", name, MAX_SINK_FAILURES)
            del self.sinks[name]


@dataclass(slots=True)
class PipelineForSize:
    """Keeps one pipeline open and makes a new one when the frames change their size."""

    rectification_for: Callable[[tuple[int, int]], Rectification]
    pipeline_for: Callable[[Rectification], StereoPipeline]
    current: StereoPipeline | None = None

    def for_size(self, size: tuple[int, int]) -> StereoPipeline:
        """The pipeline for frames of ``size`` (width, height)."""
        if self.current is None or self.current.rig.size != size:
            self.close()
            self.current = self.pipeline_for(self.rectification_for(size))
        return self.current

    def process(self, frames: Iterable[StereoFrame]) -> Iterator[Result]:
        """Results in order; where the engine can, the next frame is prepared while the network runs on this one."""
        for index, frame in enumerate(frames):
            if self.current is not None and self.current.rig.size != frame.size:
                yield from self._finish()
            pipeline = self.for_size(frame.size)
            pipeline.submit(frame, index)
            if pipeline.pending == pipeline.capacity:
                yield pipeline.collect()
        yield from self._finish()

    def _finish(self) -> Iterator[Result]:
        while self.current is not None and self.current.pending:
            yield self.current.collect()

    def close(self) -> None:
        if self.current is not None:
            self.current.close()
            self.current = None


def run_frames(
    camera: Camera, pipelines: PipelineForSize, sinks: SinkSet, stop: threading.Event, limit: int | None
) -> Iterator[Result]:
    """Results in order, each already written; ends with the camera, after ``limit`` or when ``stop`` is set.

    Closes the sinks and then the pipeline at the end, whatever happened.
    """
    with ExitStack() as stack:
        stack.callback(pipelines.close)
        for sink in sinks.sinks.values():
            stack.enter_context(sink)
        for result in pipelines.process(_frames_until(stop, camera, limit)):
            sinks.write(result)
            yield result


def _frames_until(stop: threading.Event, camera: Camera, limit: int | None) -> Iterator[StereoFrame]:
    for frame in islice(camera.frames(), limit):
        if stop.is_set():
            return
        yield frame


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that the frame at hand is still finished."""
    stop = threading.Event()
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
