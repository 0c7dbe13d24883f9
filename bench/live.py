"""The loop under load: memory over 100,000 frames, latency from the camera's stamp on, throughput with a slow engine.

    python -m bench.live soak         # memory, descriptors and latency over many frames
    python -m bench.live latency      # what a frame waits besides the network
    python -m bench.live throughput   # frames per second with an engine that takes 13 ms

Cameras are simulated: pre-rendered pairs through the V4L2 camera's own code, over a kernel of our own.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.cameras.source import open_source
from roma_device.app.cameras.v4l2.camera import V4l2Camera
from roma_device.app.cameras.v4l2.spec import V4l2Spec
from roma_device.app.model_store import find_model
from roma_device.app.recording.recorder import Recorder, new_session
from roma_device.app.run.from_settings import build_pipelines, rectifications
from roma_device.app.run.loop import run_frames
from roma_device.app.run.summary import Summary
from roma_device.app.service.health import Health
from roma_device.app.service.live_stats import LiveStats
from roma_device.app.service.metrics import Metrics
from roma_device.app.settings.settings import Settings
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import ENGINES, EngineOptions, allocate
from tests.app.cameras.v4l2.fake_kernel import FakeCamera, FakeFrame, FakeKernel

MIB = 1 << 20
OUTPUTS = 2  # of a graph for stereo


class NullEngine:
    """Gives next to nothing at once: what is left is the loop."""

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        self.inputs, self.outputs = allocate(card.inputs, options.size), allocate(card.outputs, options.size)

    def run(self) -> None:
        """Results that never change would be taken for a fault."""
        for array in self.outputs.values():
            array.flat[0] = (array.flat[0] + 1e-3) % 0.5

    def close(self) -> None:
        return


ENGINES["null"] = "bench.live:NullEngine"


class PacedKernel(FakeKernel):
    """Two cameras that give pre-rendered pairs as YUYV at ``fps``, stamped when they are due."""

    def __init__(self, pairs: list[tuple[bytes, bytes]], size: tuple[int, int], fps: float) -> None:
        cameras = (FakeCamera(sizes=(size,), fps=(round(fps),)) for _ in range(2))
        super().__init__(**dict(zip(("video0", "video1"), cameras, strict=True)))
        self._pairs, self._period_s = cycle(pairs), 1 / fps
        self._due_s, self._number = time.monotonic(), 0
        self.on_wait = self._deliver

    def _deliver(self) -> None:
        """As drivers do, drop what is due while all buffers are full."""
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        self._number += 1
        stamp_ns = time.monotonic_ns()
        for camera, data in zip(self.cameras.values(), next(self._pairs), strict=True):
            if camera.streaming and len(camera.frames) < 3:
                camera.frames.append(FakeFrame(data, stamp_ns, self._number))
        self._due_s = max(self._due_s + self._period_s, time.monotonic() - self._period_s)


def rendered(size: tuple[int, int], count: int) -> tuple[list[tuple[bytes, bytes]], StereoCalibration]:
    """Pairs of the simulated rig as YUYV, and its calibration."""
    with open_camera(f"simulated:room?frames={count}&size={size[0]}x{size[1]}") as camera:
        frames = [(frame.left.image, frame.right.image) for frame in camera.frames()]
        assert camera.calibration is not None
        return [(yuyv(left), yuyv(right)) for left, right in frames], camera.calibration


def yuyv(image: np.ndarray) -> bytes:
    luma = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.dstack([luma, np.full_like(luma, 128)]).tobytes()


@contextmanager
def live_camera(size: tuple[int, int], fps: float) -> Iterator[tuple[V4l2Camera, StereoCalibration]]:
    pairs, calibration = rendered(size, 8)
    kernel = PacedKernel(pairs, size, fps)
    spec = V4l2Spec.parse(f"/dev/video0,/dev/video1?size={size[0]}x{size[1]}&fps={min(fps, 1000):g}")
    with V4l2Camera(spec, kernel) as camera:
        type(camera).calibration = property(lambda _: calibration)  # type: ignore[assignment, method-assign]
        yield camera, calibration


def rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / MIB


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def soak(frames: int) -> None:
    """All that runs in a service, besides the network: camera, pairing, mailbox, pipeline, figures, metrics."""
    settings = Settings(engine="null", input_width=64)
    samples: list[tuple[int, float, int, float]] = []
    latencies: list[float] = []
    with live_camera((64, 48), 2000) as (camera, _):
        source = open_source(camera, threading.Event())
        figures, summary = LiveStats(source), Summary()
        metrics = Metrics(Health(figures), "stereo")
        pipelines = build_pipelines(settings, find_model(settings.model), rectifications(settings, camera))
        for result in run_frames(source, pipelines, SinkSet({}), frames):
            summary.observe(result)
            one = figures.add(result)
            metrics.add(result, one)
            latencies.append(one.latency_ms or 0.0)
            if len(latencies) == frames // 20:
                samples.append((figures.frames, rss_mib(), descriptors(), float(np.median(latencies))))
                latencies.clear()
        dropped = {reason: count for reason, count in camera.counts.dropped.items() if count}
    warm = [sample for sample in samples if sample[0] >= frames // 5]
    numbers = np.array([[sample[0], sample[1]] for sample in warm])
    slope = np.polyfit(numbers[:, 0], numbers[:, 1], 1)[0] * 10_000
    print(f"{frames} frames at {summary.as_json()['fps']:.0f} fps; dropped: {dropped or 'none'}")
    print(f"RSS {warm[0][1]:.1f} -> {warm[-1][1]:.1f} MiB after warm-up, slope {slope:+.3f} MiB per 10,000 frames")
    print(f"descriptors: {sorted({sample[2] for sample in warm})}")
    print(f"median latency of the first and last twentieth: {warm[0][3]:.3f} and {warm[-1][3]:.3f} ms")


def latency(frames: int, engine: str, fps: float) -> None:
    settings = Settings(engine=engine, threads=1)
    rest, total, age = [], [], []
    with live_camera((640, 320), fps) as (camera, _):
        source = open_source(camera, threading.Event())
        figures = LiveStats(source)
        pipelines = build_pipelines(settings, find_model(settings.model), rectifications(settings, camera))
        for result in run_frames(source, pipelines, SinkSet({}), frames):
            one = figures.add(result)
            if result.index < 3:
                continue  # the first ones open the engine and fill caches
            total.append(one.latency_ms or 0.0)
            rest.append(total[-1] - result.times.stages_ms["engine"])
            age.append(one.mailbox_age_ms)
    for name, values in (("glass to output", total), ("without the engine", rest), ("age in the mailbox", age)):
        low, middle, high = np.percentile(values, [5, 50, 95])
        print(f"{name:<20} median {middle:7.2f} ms   5 % {low:7.2f}   95 % {high:7.2f}")


def throughput(frames: int, slow_ms: int) -> None:
    """A recording in memory of the file system, the bundled pipeline, and the NPU engine over its stand-in."""
    from roma_device.app.model_store import find_model
    from tests.standin.build import build
    from tests.standin.control import Standin
    from tests.standin.network import standin_bundle

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for library in ("libax_sys.so", "libax_engine.so"):
            build(library, folder)
        standin = Standin(folder / "libax_sys.so")
        standin.slow(slow_ms)
        runner = _next_to_nothing()
        standin.set_runner(runner)
        bundle = standin_bundle(find_model("stereo"), (640, 320), folder / "bundle")
        recording = _record(folder / "recording", (640, 320))
        settings = Settings(engine="ax", model=str(bundle)).overridden(npu={"library_dir": folder})
        with open_camera(f"recording:{recording}?loop=0") as camera:
            source = open_source(camera, threading.Event())
            pipelines = build_pipelines(settings, find_model(settings.model), rectifications(settings, camera))
            begun = 0.0
            for result in run_frames(source, pipelines, SinkSet({}), frames + 10):
                if result.index == 9:
                    begun = time.perf_counter()
            elapsed_s = time.perf_counter() - begun
    print(f"{frames / elapsed_s:.1f} frames per second with an engine of {slow_ms} ms ({frames} frames, 640x320)")


def _next_to_nothing() -> Callable[..., int]:
    """Writes one value of each output, another one in each run: results that never change are taken for a fault."""
    from tests.standin.control import Runner

    steps = cycle(np.linspace(0, 0.5, 100, dtype=np.float32))

    def run(_network: int, _bytes: int, _inputs: Any, outputs: Any) -> int:
        value = next(steps)
        for address in outputs[:OUTPUTS]:
            ctypes.memmove(address, value.tobytes(), value.nbytes)
        return 0

    return Runner(run)


def _record(parent: Path, size: tuple[int, int]) -> Path:
    with open_camera(f"simulated:room?frames=20&size={size[0]}x{size[1]}") as camera:
        folder = new_session(parent, {}, camera.calibration)
        with Recorder(folder, wait=True) as recorder:
            for frame in camera.frames():
                recorder.offer(frame)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["soak", "latency", "throughput"])
    parser.add_argument("--frames", type=int)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--fps", type=float, default=4.0)
    parser.add_argument("--slow-ms", type=int, default=13)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.what == "soak":
        soak(arguments.frames or 100_000)
    elif arguments.what == "latency":
        latency(arguments.frames or 60, arguments.engine, arguments.fps)
    else:
        throughput(arguments.frames or 400, arguments.slow_ms)


if __name__ == "__main__":
    main()
