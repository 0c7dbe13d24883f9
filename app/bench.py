"""Latency of every stage on one frame, repeated: ``roma-device bench``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from roma_device.calibration.rectify import MapPair
from roma_device.runtime.engine import engine_facts, engine_name
from roma_device.runtime.preprocess import grey
from roma_device.runtime.types import StereoFrame

from .latency_table import LatencyTable
from .pipeline import StereoPipeline

ENGINE_STAGE = "engine"
TOTAL = "total"


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Latencies of all stages and what the program adds to the network's own time."""

    table: LatencyTable
    bare_remap_ms: float  # median of cv2.remap alone on the same pair to the same size

    @property
    def preprocess_ratio(self) -> float:
        """Rectifying, resizing and normalizing over cv2.remap alone."""
        return self.table.stages["preprocess"].median_ms / self.bare_remap_ms

    @property
    def overhead_ratio(self) -> float:
        """Median time of all stages but the engine over the engine's."""
        stages = self.table.stages
        own = sum(latency.median_ms for name, latency in stages.items() if name not in (ENGINE_STAGE, TOTAL))
        return own / stages[ENGINE_STAGE].median_ms

    @property
    def fps(self) -> float:
        return 1000 / self.table.stages[TOTAL].median_ms

    def as_text(self) -> str:
        return (
            f"{self.table.as_text()}\n"
            f"  overhead: {100 * self.overhead_ratio:.1f} % of the engine's time, all other stages together\n"
            f"  preprocess: {self.preprocess_ratio:.2f} times cv2.remap alone ({self.bare_remap_ms:.3f} ms)\n"
            f"  rate: {self.fps:.1f} fps without capture and saving"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            **self.table.as_json(),
            "overhead_ratio": round(self.overhead_ratio, 4),
            "bare_remap_ms": round(self.bare_remap_ms, 3),
            "preprocess_ratio": round(self.preprocess_ratio, 3),
            "fps": round(self.fps, 2),
        }


def run_bench(pipeline: StereoPipeline, frame: StereoFrame, repeat: int, warmup: int, threads: int) -> BenchReport:
    """Process ``frame`` ``warmup`` times unmeasured, then ``repeat`` times."""
    for _ in range(warmup):
        pipeline.process(frame)
    stages_ms: dict[str, list[float]] = {}
    for _ in range(repeat):
        start = time.perf_counter_ns()
        result = pipeline.process(frame)
        total_ms = (time.perf_counter_ns() - start) / 1e6
        for stage, value in {**result.times.stages_ms, TOTAL: total_ms}.items():
            stages_ms.setdefault(stage, []).append(value)
    width, height = pipeline.plan.network
    header = {
        "model": pipeline.card.name,
        "engine": engine_name(pipeline.engine),
        "input": f"{width}x{height}",
        "camera": f"{pipeline.rig.size[0]}x{pipeline.rig.size[1]}",
        "warmup": str(warmup),
        "repeat": str(repeat),
        "threads": str(threads or cv2.getNumThreads()),
        **engine_facts(pipeline.engine),
    }
    return BenchReport(
        LatencyTable.of("Run stereo pipeline", header, stages_ms), _bare_remap_ms(pipeline, frame, repeat)
    )


def _bare_remap_ms(pipeline: StereoPipeline, frame: StereoFrame, repeat: int) -> float:
    """Median time of cv2.remap alone, with float maps, from both grey images to the network's content."""
    maps = pipeline.rectification.maps(pipeline.plan.content) or (_resize_maps(pipeline),) * 2
    images = [grey(frame.left.image), grey(frame.right.image)]
    times_ms = []
    for _ in range(repeat):
        start = time.perf_counter_ns()
        for image, each in zip(images, maps, strict=True):
            cv2.remap(image, *each, cv2.INTER_LINEAR)
        times_ms.append((time.perf_counter_ns() - start) / 1e6)
    return float(np.median(times_ms))


def _resize_maps(pipeline: StereoPipeline) -> MapPair:
    """Of a pair that is rectified already."""
    (width, height), size = pipeline.plan.content, pipeline.rig.size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.asarray((x + 0.5) * (size[0] / width) - 0.5), np.asarray((y + 0.5) * (size[1] / height) - 0.5)
