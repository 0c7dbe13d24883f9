"""The loop: frames from a camera through the pipeline into the sinks."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from loguru import logger

from roma_device.app.cameras.source import FrameSource
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.calibration.arrays import Size
from roma_device.calibration.rectify import Rectification
from roma_device.runtime.filters.options import DepthOptions
from roma_device.runtime.pipeline import Pipeline
from roma_device.runtime.types import Result

AnyPipeline = TypeVar("AnyPipeline", bound=Pipeline)

STOP_LIMIT_S = 1.8
"""From the signal to the end of the process, if need be by force."""


@dataclass(slots=True)
class ResizingPipeline(Generic[AnyPipeline]):
    """Keeps one pipeline open and makes a new one when the frames change their size."""

    rectification_for: Callable[[Size], Rectification]
    pipeline_for: Callable[[Rectification], AnyPipeline]
    current: AnyPipeline | None = None
    _limits: DepthOptions | None = None  # that came after the pipelines' own

    def for_size(self, size: Size) -> AnyPipeline:
        """The pipeline for frames of ``size``."""
        if self.current is None or self.current.rig.size != size:
            self.close()
            self.current = self.pipeline_for(self.rectification_for(size))
            self._apply_limits()
        return self.current

    def set_limits(self, limits: DepthOptions) -> None:
        """Take ``limits`` from the next frame on; all else stays."""
        self._limits = limits
        self._apply_limits()

    def _apply_limits(self) -> None:
        if self.current is not None and self._limits is not None:
            self.current.set_limits(self._limits)

    def process(self, source: FrameSource, limit: int | None, first_index: int = 0) -> Iterator[Result]:
        """Results in order, numbered from ``first_index`` on; a source that is not live begins with that frame of it,
        and ``limit`` counts those before it too.

        Where the engine can, the next frame is prepared while the network runs on this one, but no result waits for a
        frame that the camera has yet to deliver.
        """
        skipped = 0 if source.is_live else first_index
        end = None if limit is None else max(limit - first_index, 0) + skipped
        for index, frame in enumerate(islice(source.frames(), skipped, end), first_index):
            if self.current is not None and self.current.rig.size != frame.size:
                yield from self._collect()
            pipeline = self.for_size(frame.size)
            pipeline.submit(frame, index, source.counts.total_dropped)
            if pipeline.pending == pipeline.capacity:
                yield pipeline.collect()
            if not source.has_frame():
                yield from self._collect()
        yield from self._collect()

    def _collect(self) -> Iterator[Result]:
        while self.current is not None and self.current.pending:
            yield self.current.collect()

    def close(self) -> None:
        if self.current is not None:
            self.current.close()
            self.current = None


def run_frames(
    source: FrameSource,
    pipelines: ResizingPipeline[AnyPipeline],
    sinks: SinkSet,
    limit: int | None = None,
    first_index: int = 0,
) -> Iterator[Result]:
    """Results in order, each already written; ends with the source or after ``limit``.

    ``first_index``: of a run that goes on with an earlier one, see ``ResizingPipeline.process``.

    Closes the sinks, then the pipeline, then the source at the end, whatever happened.
    """
    with ExitStack() as stack:
        stack.enter_context(source)
        stack.callback(pipelines.close)
        for sink in sinks.sinks.values():
            stack.enter_context(sink)
        for result in pipelines.process(source, limit, first_index):
            sinks.write(result)
            yield result


@contextmanager
def stop_on_signals(force: Callable[[int], object] = os._exit) -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that the frame at hand is still finished.

    A driver that hangs could keep the process for ever: after STOP_LIMIT_S ``force`` ends it with EX_SOFTWARE.
    """
    stop = threading.Event()
    timer = threading.Timer(STOP_LIMIT_S, _give_up, (force,))
    timer.daemon = True

    def handle(*_: object) -> None:
        if not stop.is_set():
            stop.set()
            timer.start()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        timer.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _give_up(force: Callable[[int], object]) -> None:
    logger.critical(f"something hangs and keeps the program from stopping: ended by force after {STOP_LIMIT_S:g} s")
    force(os.EX_SOFTWARE)
