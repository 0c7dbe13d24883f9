"""``roma-device bench``: latency per stage, on the settings' camera and model."""

from __future__ import annotations

from contextlib import closing

from roma_device.app.cameras import first_frame, open_camera
from roma_device.app.model_store import find_model
from roma_device.app.run.build_pipelines import depth_pipelines
from roma_device.app.settings.settings import Settings

from .stereo import BenchReport, run_bench

BENCH_CAMERA = "simulated:room?size=640x320"


def bench_from_settings(settings: Settings, repeat: int, warmup: int) -> BenchReport:
    """Latencies on the first frame of the camera."""
    with open_camera(settings.camera or BENCH_CAMERA) as camera:
        frame = first_frame(camera)
        with closing(depth_pipelines(settings, camera, find_model(settings.model))) as pipelines:
            return run_bench(pipelines.for_size(frame.size), frame, repeat, warmup, settings.threads)
