"""The loop: frames from a camera through the pipeline into the sinks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

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

    def process(self, frame: StereoFrame, index: int) -> Result:
        return self.for_size(frame.size).process(frame, index)

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
        for index, frame in enumerate(camera.frames()):
            if stop.is_set() or (limit is not None and index >= limit):
                return
            result = pipelines.process(frame, index)
            sinks.write(result)
            yield result


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
