"""One stereo frame in, one result out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np

from roma_device.calibration.arrays import Image, Mask
from roma_device.calibration.rectify import MapPair, Rectification, RectifiedRig
from roma_device.calibration.size import Size

from .card import ModelCard
from .depth import DepthLimits, make_depth, valid_matches
from .engine import Engine, EngineOptions, NpuOptions, OverlappingEngine, Precision, open_engine
from .tensors.decode import decode
from .tensors.input_plan import InputPlan, plan_input
from .tensors.preprocess import Preprocessor, check_inputs
from .types import Result, StageTimes, StereoFrame


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """Choices that hold for every frame."""

    engine: str = "auto"
    threads: int = 0
    input_width: int = 640  # px, for models of open size
    min_m: float = 0.2
    max_m: float = 50.0
    min_confidence: float | None = None  # None: the model card's
    needs_image: bool = False  # also rectify the left image at camera resolution
    npu: NpuOptions = field(default_factory=NpuOptions)
    precision: Precision = "auto"  # of a host engine


@dataclass(frozen=True, slots=True, eq=False)
class _Submitted:
    """A frame on its way."""

    frame: StereoFrame
    index: int
    dropped: int
    times: StageTimes


class Pipeline(Protocol):
    """One stereo frame in, one result out, in two halves; StereoPipeline has what the members mean."""

    rig: RectifiedRig
    capacity: int

    @property
    def pending(self) -> int: ...

    def set_limits(self, options: PipelineOptions) -> None: ...

    def submit(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> None: ...

    def collect(self) -> Result: ...

    def close(self) -> None: ...


class StereoPipeline:
    """Rectify, preprocess, match, decode, depth; owns the engine and all buffers.

    Every frame must have the size of ``rectification.rig``. Use as a context manager. ``submit`` and ``collect``
    are the two halves of ``process``: with an engine that has two sets of buffers, a frame may be submitted before
    the one ahead of it is collected, and is prepared while the network runs.
    """

    def __init__(self, card: ModelCard, rectification: Rectification, options: PipelineOptions) -> None:
        self.card, self.rig, self.rectification = card, rectification.rig, rectification
        check_inputs(card)
        self.plan: InputPlan = plan_input(card, self.rig.size, options.input_width)
        self.engine: Engine = open_engine(
            card, options.engine, EngineOptions(self.plan.network, options.threads, options.npu, options.precision)
        )
        self._overlapping = _overlapping(self.engine, options.npu)
        self.capacity = 2 if self._overlapping else 1  # frames that may be on their way
        self._submitted: deque[_Submitted] = deque()
        self._preprocess = Preprocessor(rectification, self.plan, card.normalization)
        self._limits = _limits(card, options)
        maps = rectification.maps(self.rig.size)
        self._left_maps = None if maps is None else maps[0]
        self._in_view = None if maps is None else _in_view(maps[0], self.rig.size)
        self._needs_image = options.needs_image

    @property
    def pending(self) -> int:
        """Frames that were submitted and not collected."""
        return len(self._submitted)

    def set_limits(self, options: PipelineOptions) -> None:
        """Take the depth limits of ``options`` from the next result on."""
        self._limits = _limits(self.card, options)

    def process(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> Result:
        """Raises EngineError where the network fails."""
        self.submit(frame, index, dropped)
        return self.collect()

    def submit(self, frame: StereoFrame, index: int = 0, dropped: int = 0) -> None:
        """Prepare ``frame`` and let the network run on it; at most ``capacity`` frames at a time."""
        times = StageTimes()
        with _timed(times, "preprocess"):
            self._preprocess(frame, self.engine.inputs)
        if self._overlapping is not None:
            self._overlapping.start()
        else:
            with _timed(times, "engine"):
                self.engine.run()
        self._submitted.append(_Submitted(frame, index, dropped, times))

    def collect(self) -> Result:
        """The result of the frame that was submitted first; waits for the network, and raises EngineError."""
        one = self._submitted.popleft()
        if self._overlapping is not None:
            one.times.stages_ms["engine"] = self._overlapping.finish()
        return self._result(one)

    def _result(self, one: _Submitted) -> Result:
        times, frame = one.times, one.frame
        with _timed(times, "decode"):
            matches = decode(self.card, self.engine.outputs, self.plan, self.rig.size)
        with _timed(times, "depth"):
            valid = valid_matches(matches, self._limits.min_confidence, self._in_view)
            metric = self.rig.is_metric and matches.disparity_px is not None
            depth = make_depth(matches, valid, self.rig, self._limits, frame.timestamp_ns) if metric else None
        left = remapped(frame.left.image, self._left_maps) if self._needs_image else None
        return Result(frame, one.index, matches, valid, self.rig, depth, left, times, one.dropped)

    def close(self) -> None:
        self.engine.close()

    def __enter__(self) -> StereoPipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def remapped(image: Image, maps: MapPair | None) -> Image:
    """A raw image (H, W[, 3]) rectified; as it is where there are no maps, since it came rectified."""
    return image if maps is None else np.asarray(cv2.remap(image, *maps, cv2.INTER_LINEAR), np.uint8)


def _overlapping(engine: Engine, options: NpuOptions) -> OverlappingEngine | None:
    return engine if options.overlap and isinstance(engine, OverlappingEngine) else None


def _limits(card: ModelCard, options: PipelineOptions) -> DepthLimits:
    confidence = card.min_confidence if options.min_confidence is None else options.min_confidence
    return DepthLimits(options.min_m, options.max_m, confidence)


def _in_view(maps: MapPair, size: Size) -> Mask:
    """(H, W): pixels of the rectified image that lie inside the raw one."""
    x, y = maps
    return (x >= 0) & (x <= size[0] - 1) & (y >= 0) & (y <= size[1] - 1)


@contextmanager
def _timed(times: StageTimes, stage: str) -> Iterator[None]:
    start = time.perf_counter_ns()
    yield
    times.stages_ms[stage] = (time.perf_counter_ns() - start) / 1e6
