"""Latency of every stage on one frame, repeated: ``roma-device bench``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np

from roma_device.app.cameras import first_frame, open_camera
from roma_device.app.model_store import find_model
from roma_device.app.run.from_settings import network_options, rectifications
from roma_device.app.settings.settings import Settings
from roma_device.calibration.arrays import Image
from roma_device.calibration.rectify import MapPair
from roma_device.runtime.engine import engine_facts, engine_name
from roma_device.runtime.grey import grey
from roma_device.runtime.pipeline import StereoPipeline
from roma_device.runtime.types import StereoFrame

from .latency_table import LatencyTable

BENCH_CAMERA = "simulated:room?size=640x320"


def bench_from_settings(settings: Settings, repeat: int, warmup: int) -> BenchReport:
    """Latencies on the first frame of the camera."""
    with open_camera(settings.camera or BENCH_CAMERA) as camera:
        frame = first_frame(camera)
        rectification = rectifications(settings, camera)(frame.size)
        with StereoPipeline(find_model(settings.model), rectification, network_options(settings)) as pipeline:
            return run_bench(pipeline, frame, repeat, warmup, settings.threads)


T = TypeVar("T")
ENGINE_STAGE = "engine"
TOTAL = "total"
BEFORE_WARMUP = ("chip", "type", "vnpu", "affinity")
"""What an engine tells of itself stands after the runs, as in the vendor's tools, but for these lines."""


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Latencies of all stages and what the program adds to the network's own time."""

    table: LatencyTable
    bare_remap_ms: float  # median of cv2.remap alone on both images as they come, to the same size
    grey_remap_ms: float  # the same of grey images, into which colour had been converted before
    overlapped_fps: float | None = None  # with preprocessing during the run before; None: the engine cannot

    @property
    def preprocess_ratio(self) -> float:
        """Turning grey, rectifying, resizing and normalizing over cv2.remap alone of the images as they come."""
        return self.table.stages["preprocess"].median_ms / self.bare_remap_ms

    @property
    def preprocess_grey_ratio(self) -> float:
        """The same over cv2.remap of images that are grey already."""
        return self.table.stages["preprocess"].median_ms / self.grey_remap_ms

    @property
    def overhead_ratio(self) -> float:
        """Median time of all stages but the engine over the engine's."""
        stages = self.table.stages
        own = sum(latency.median_ms for name, latency in stages.items() if name not in (ENGINE_STAGE, TOTAL))
        return own / stages[ENGINE_STAGE].median_ms

    @property
    def fps(self) -> float:
        return 1000 / self.table.stages[TOTAL].median_ms if self.overlapped_fps is None else self.overlapped_fps

    @property
    def overlap_ratio(self) -> float | None:
        """The rate over what the slower of network and program would allow alone; None without overlap.

        By mean times, as a rate is a mean.
        """
        if self.overlapped_fps is None:
            return None
        stages = self.table.stages
        engine_ms = stages[ENGINE_STAGE].avg_ms
        return self.overlapped_fps * max(engine_ms, stages[TOTAL].avg_ms - engine_ms) / 1000

    def as_text(self) -> str:
        return (
            f"{self.table.as_text()}\n"
            f"  overhead: {100 * self.overhead_ratio:.1f} % of the engine's time, all other stages together\n"
            f"  preprocess: {self.preprocess_ratio:.2f} times cv2.remap alone of the images as they come "
            f"({self.bare_remap_ms:.3f} ms), {self.preprocess_grey_ratio:.2f} times of grey ones\n"
            f"  rate: {self.fps:.1f} fps without capture and saving{self._overlap_text()}"
        )

    def _overlap_text(self) -> str:
        if self.overlap_ratio is None:
            return ""
        return f", overlapped: {100 * self.overlap_ratio:.1f} % of what the slower of network and program allows"

    def as_json(self) -> dict[str, Any]:
        return {
            **self.table.as_json(),
            "overhead_ratio": round(self.overhead_ratio, 4),
            "bare_remap_ms": round(self.bare_remap_ms, 3),
            "preprocess_ratio": round(self.preprocess_ratio, 3),
            "grey_remap_ms": round(self.grey_remap_ms, 3),
            "preprocess_grey_ratio": round(self.preprocess_grey_ratio, 3),
            "fps": round(self.fps, 2),
            "overlap_ratio": None if self.overlap_ratio is None else round(self.overlap_ratio, 4),
        }


def run_bench(pipeline: StereoPipeline, frame: StereoFrame, repeat: int, warmup: int, threads: int) -> BenchReport:
    """Process ``frame`` ``warmup`` times unmeasured, then ``repeat`` times, in alternation with cv2.remap alone.

    A whole frame comes before whatever is measured, so that all find caches and threads as the network leaves them.
    """
    images = frame.left.image, frame.right.image
    remaps = BareRemap(pipeline, images), BareRemap(pipeline, tuple(map(grey, images)))
    for _ in range(warmup):
        pipeline.process(frame)
    stages_ms: dict[str, list[float]] = {}
    remaps_ms: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat):
        total_ms, result = _timed_ms(lambda: pipeline.process(frame))
        for stage, value in {**result.times.stages_ms, TOTAL: total_ms}.items():
            stages_ms.setdefault(stage, []).append(value)
        for remap, times_ms in zip(remaps, remaps_ms, strict=True):
            times_ms.append(_timed_ms(remap)[0])
            pipeline.process(frame)
    runs = {"warmup": str(warmup), "repeat": str(repeat)}
    table = LatencyTable.of("Run stereo pipeline", _header(pipeline, threads, runs), stages_ms)
    overlapped_fps = _overlapped_fps(pipeline, frame, repeat) if pipeline.capacity > 1 else None
    bare_ms, grey_ms = (float(np.median(times_ms)) for times_ms in remaps_ms)
    return BenchReport(table, bare_ms, grey_ms, overlapped_fps)


def _timed_ms(function: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter_ns()
    result = function()
    return (time.perf_counter_ns() - start) / 1e6, result


def _header(pipeline: StereoPipeline, threads: int, runs: Mapping[str, str]) -> dict[str, str]:
    facts = engine_facts(pipeline.network.engine)
    first = {key: facts[key] for key in BEFORE_WARMUP if key in facts}
    width, height = pipeline.network.plan.network
    return {
        "model": pipeline.card.name,
        "engine": engine_name(pipeline.network.engine),
        "input": f"{width}x{height}",
        "camera": f"{pipeline.rig.size[0]}x{pipeline.rig.size[1]}",
        "threads": str(threads or cv2.getNumThreads()),
        **first,
        **runs,
        **{key: value for key, value in facts.items() if key not in first},
    }


def _overlapped_fps(pipeline: StereoPipeline, frame: StereoFrame, repeat: int) -> float:
    """Frames per second with as many on their way as the pipeline takes; the first ones fill it unmeasured."""
    for _ in range(pipeline.capacity):
        pipeline.submit(frame)
    pipeline.collect()
    start = time.perf_counter_ns()
    for _ in range(repeat):
        pipeline.submit(frame)
        pipeline.collect()
    seconds = (time.perf_counter_ns() - start) / 1e9
    while pipeline.pending:
        pipeline.collect()
    return repeat / seconds


class BareRemap:
    """cv2.remap alone, with float maps, from both images to the network's content, nothing allocated."""

    def __init__(self, pipeline: StereoPipeline, images: tuple[Image, ...]) -> None:
        size = pipeline.network.plan.content
        self._maps = pipeline.rectification.maps(size) or (_resize_maps(pipeline),) * 2
        self._images = images
        self._target = np.empty((size[1], size[0], *images[0].shape[2:]), np.uint8)

    def __call__(self) -> None:
        for image, maps in zip(self._images, self._maps, strict=True):
            cv2.remap(image, *maps, cv2.INTER_LINEAR, dst=self._target)


def _resize_maps(pipeline: StereoPipeline) -> MapPair:
    """Of a pair that is rectified already."""
    (width, height), size = pipeline.network.plan.content, pipeline.rig.size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.asarray((x + 0.5) * (size[0] / width) - 0.5), np.asarray((y + 0.5) * (size[1] / height) - 0.5)
