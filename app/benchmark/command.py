"""``roma-device bench`` on the settings' camera and model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from roma_device.app.cameras import CameraError, open_camera
from roma_device.app.model_store import find_model
from roma_device.app.run.build_pipelines import depth_pipelines
from roma_device.app.settings.settings import Settings
from roma_device.runtime.pipeline import StereoPipeline
from roma_device.runtime.types import StereoFrame

from .stereo import BenchReport, run_bench

BENCH_CAMERA = "simulated:room?size=640x320"


def bench_from_settings(settings: Settings, repeat: int, warmup: int) -> BenchReport:
    """Latencies on the first frame of the camera."""
    with _opened(settings, BENCH_CAMERA) as (frame, pipeline):
        return run_bench(pipeline, frame, repeat, warmup, settings.threads)


@contextmanager
def _opened(settings: Settings, default_camera: str) -> Iterator[tuple[StereoFrame, StereoPipeline]]:
    """The camera's first frame and the pipeline for it."""
    with ExitStack() as stack:
        camera = stack.enter_context(open_camera(settings.camera or default_camera))
        frame = next(iter(camera.frames()), None)
        if frame is None:
            raise CameraError("the camera gave no frame")
        pipelines = depth_pipelines(settings, camera, find_model(settings.model))
        stack.callback(pipelines.close)
        yield frame, pipelines.for_size(frame.size)
