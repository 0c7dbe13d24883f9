"""``roma-device bench``: latency per stage, on the settings' camera and model."""

from __future__ import annotations

from roma_device.app.cameras import first_frame, open_camera
from roma_device.app.model_store import find_model
from roma_device.app.run.build_pipelines import network_options, rectifications
from roma_device.app.settings.settings import Settings
from roma_device.runtime.pipeline import StereoPipeline

from .stereo import BenchReport, run_bench

BENCH_CAMERA = "simulated:room?size=640x320"


def bench_from_settings(settings: Settings, repeat: int, warmup: int) -> BenchReport:
    """Latencies on the first frame of the camera."""
    with open_camera(settings.camera or BENCH_CAMERA) as camera:
        frame = first_frame(camera)
        rectification = rectifications(settings, camera)(frame.size)
        with StereoPipeline(find_model(settings.model), rectification, network_options(settings)) as pipeline:
            return run_bench(pipeline, frame, repeat, warmup, settings.threads)
