"""Loop cost: the Python interface beside the loop of ``run``, alternating in one process.

    python -m bench.api_loop [--rounds 40] [--frames 60] [--size 640x400]

Both take the same stored frames of the simulated rig through an engine that answers at once, so that what is left is
capture, preprocessing, decoding, depth and the loop itself. Printed are medians of the process's CPU time per frame,
and their ratio, which is to stay below 1.03.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from roma_device import Camera, EngineOptions, ModelCard, StereoCalibration, StereoDepth, StereoFrame, register_engine
from roma_device.app.cameras import open_camera
from roma_device.app.cameras.source import open_source
from roma_device.app.model_store import find_model
from roma_device.app.run.from_settings import build_pipelines, rectifications
from roma_device.app.run.loop import run_frames
from roma_device.app.settings.settings import Settings
from roma_device.app.sinks.sink_set import SinkSet

LIMIT = 1.03


class NullEngine:
    """Answers at once."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        self.inputs = {spec.name: np.zeros(spec.shape_at(options.size), spec.storage) for spec in card.inputs}
        self.outputs = {spec.name: np.ones(spec.shape_at(options.size), spec.storage) for spec in card.outputs}

    def run(self) -> None:
        """Results that never change, or are the same everywhere, would be taken for a fault: so one pixel differs."""
        first = self.outputs["parts" if "parts" in self.outputs else "disparity"].flat
        first[0] = 3.5 if first[0] == 3 else 3

    def close(self) -> None:
        """Nothing is open."""


class Stored(Camera):
    """The same frames again and again."""

    def __init__(self, frames: list[StereoFrame], calibration: StereoCalibration | None, count: int) -> None:
        self._frames, self._calibration, self._count = frames, calibration, count

    @property
    def calibration(self) -> StereoCalibration | None:
        return self._calibration

    def frames(self) -> Iterator[StereoFrame]:
        for index in range(self._count):
            yield self._frames[index % len(self._frames)]


def loop_of_run(camera: Stored) -> Iterator[object]:
    settings = Settings(engine="null")
    pipelines = build_pipelines(settings, find_model(settings.model), rectifications(settings, camera))
    return run_frames(open_source(camera, threading.Event()), pipelines, SinkSet({}))


def loop_of_api(camera: Stored) -> Iterator[object]:
    with StereoDepth(camera, engine="null") as stereo:
        yield from stereo


def cpu_ms(loop: Callable[[Stored], Iterator[object]], camera: Stored, count: int) -> float:
    """CPU time of the process per frame, besides the first frame, which opens everything."""
    results = loop(camera)
    next(results)
    start_ns = time.process_time_ns()
    for _ in results:
        pass
    return (time.process_time_ns() - start_ns) / 1e6 / (count - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", default="640x400")
    options = parser.parse_args()
    register_engine("null", NullEngine)
    simulated = open_camera(f"simulated:room?size={options.size}")
    camera = Stored(list(islice(simulated.frames(), 4)), simulated.calibration, options.frames)
    loops = (loop_of_run, loop_of_api)
    rounds = [[cpu_ms(loop, camera, options.frames) for loop in loops] for _ in range(options.rounds + 1)][1:]
    run_ms, api_ms = (statistics.median(times) for times in zip(*rounds, strict=True))
    ratio = statistics.median(api / run for run, api in rounds)
    print(f"run {run_ms:.3f} ms, StereoDepth {api_ms:.3f} ms per frame; ratio {ratio:.3f} (limit {LIMIT})")


if __name__ == "__main__":
    main()
