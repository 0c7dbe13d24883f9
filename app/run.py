"""What the commands share: settings in; benchmarks, evaluations and sinks out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from roma_device.runtime.card import ModelCard
from roma_device.runtime.pipeline import StereoPipeline
from roma_device.runtime.types import StereoFrame

from .bench import BenchReport, run_bench
from .cameras import CameraError, open_camera
from .evaluate import evaluate_stereo
from .health_monitor import HealthMonitor
from .loop import PipelineForSize
from .model_store import find_model
from .open_pipelines import depth_pipelines, pipeline_options
from .output_folder import prepare_output_folder
from .pipeline_matcher import PipelineMatcher
from .settings import Settings, SettingsError, load_settings
from .sgbm import SgbmMatcher
from .sinks import Sink, open_sink
from .stereo_index import load_index
from .stereo_report import StereoReport
from .vertical_tolerance import ToleranceReport, measure_tolerance, write_to_card

DEFAULT_CAMERA = "simulated"
BENCH_CAMERA = "simulated:room?size=640x320"
_DOTTED = {
    "min_depth_m": "depth.min_m",
    "max_depth_m": "depth.max_m",
    "min_confidence": "depth.min_confidence",
    "output": "output.folder",
    "save": "output.save",
}
"""Options whose settings key has another name."""


def settings_from_options(config: Path | None, options: Mapping[str, Any]) -> Settings:
    """The file's settings, or the defaults, with the options given on the command line on top."""
    settings = Settings() if config is None else load_settings(config)
    flags = {_DOTTED.get(name, name): value for name, value in options.items()}
    for key in ("output.save", "task"):
        if flags.get(key) is not None:
            flags[key] = tuple(name.strip() for name in flags[key].split(",") if name.strip())
    return settings.overridden(**flags)


def bench_from_settings(settings: Settings, repeat: int, warmup: int) -> BenchReport:
    """Latencies on the first frame of the camera."""
    with _opened(settings, BENCH_CAMERA) as (frame, pipeline):
        return run_bench(pipeline, frame, repeat, warmup, settings.threads)


def evaluate_from_settings(settings: Settings, index: Path, compare: tuple[str, ...]) -> StereoReport:
    """Scores of the model and of the baselines named in ``compare``."""
    pairs = load_index(index)
    matcher = PipelineMatcher(find_model(settings.model), pipeline_options(settings, needs_image=False))
    try:
        return evaluate_stereo(pairs, matcher, [SgbmMatcher() for _ in compare])
    finally:
        matcher.close()


def tolerance_from_settings(
    settings: Settings, index: Path, shifts_px: Sequence[float], write_card: bool
) -> ToleranceReport:
    """Accuracy of the model against vertical misalignment, noted in its card where asked for."""
    pairs, card = load_index(index), find_model(settings.model)
    matcher = PipelineMatcher(card, pipeline_options(settings, needs_image=False))
    try:
        report = measure_tolerance(pairs, matcher, shifts_px)
    finally:
        matcher.close()
    if write_card:
        write_to_card(next(iter(card.files.values())).path.parent, report.tolerated_px)
    return report


@contextmanager
def _opened(settings: Settings, default_camera: str) -> Iterator[tuple[StereoFrame, StereoPipeline]]:
    """The camera's first frame and the pipeline for it."""
    with ExitStack() as stack:
        camera = stack.enter_context(open_camera(settings.camera or default_camera))
        frame = next(iter(camera.frames()), None)
        if frame is None:
            raise CameraError("the camera gave no frame")
        pipelines = depth_pipelines(settings, camera, find_model(settings.model), needs_image=False)
        stack.callback(pipelines.close)
        yield frame, pipelines.for_size(frame.size)


def open_sinks(settings: Settings) -> dict[str, Sink]:
    """The sinks that the settings name, by name; raises SinkError and SettingsError."""
    names, folder = settings.output.save, settings.output.folder
    if not names and folder is None:
        return {}
    if "trajectory" in names and "pose" not in settings.task:
        raise SettingsError("--save trajectory needs poses: give --task pose or depth,pose", exit_code=64)
    if folder is None:
        raise SettingsError("--save needs --output, the folder to write into", exit_code=64)
    prepare_output_folder(folder)
    default = ("results", "trajectory") if "pose" in settings.task else ("results",)
    return {name: open_sink(name, folder) for name in names or default}


def open_health_monitor(settings: Settings, card: ModelCard, pipelines: PipelineForSize[Any]) -> HealthMonitor:
    """Who watches the rig's calibration during the run, by what the model tolerates."""
    share = card.tolerated_vertical_px / card.default_size[0]
    return HealthMonitor(pipelines.rectification_for, share, settings.health_every)
