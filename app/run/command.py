"""``roma-device run``: everything opened in order, the loop, and its observers."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version

from loguru import logger

from roma_device.app.cameras import Camera, LiveCamera, open_camera
from roma_device.app.cameras.source import FrameSource, open_source
from roma_device.app.model_store import find_model
from roma_device.app.recording.recorder import Recorder, new_session
from roma_device.app.service.live_stats import LiveStats
from roma_device.app.service.monitor import Monitor
from roma_device.app.service.notify import Notifier
from roma_device.app.service.reload import Reloader, reload_on_hangup
from roma_device.app.settings.settings import Settings, SettingsError
from roma_device.app.sinks import Sink, SinkError, open_sink
from roma_device.app.sinks.output_folder import prepare_output_folder
from roma_device.runtime.card import ModelCard
from roma_device.runtime.pipeline import Pipeline

from .build_pipelines import build_pipelines
from .calibration_watch import CalibrationWatch
from .loop import ResizingPipeline, SinkSet, run_frames, stop_on_signals
from .observers import Observer
from .printer import JsonPrinter, PosePrinter, print_report
from .summary import Summary

DEFAULT_CAMERA = "simulated"


def run_from_settings(settings: Settings, load: Callable[[], Settings], as_json: bool) -> int:
    """Process frames until the camera ends or a signal comes; returns the exit code.

    ``load`` reads the settings anew when SIGHUP asks for it.
    """
    summary, notifier = Summary(), Notifier()
    sinks = SinkSet(open_sinks(settings))
    with ExitStack() as stack:
        stop = stack.enter_context(stop_on_signals())
        camera = stack.enter_context(open_camera(settings.camera or DEFAULT_CAMERA))
        recorder = _open_recorder(settings, camera, stack)
        source = open_source(camera, stop, settings.max_fps, recorder)
        card = find_model(settings.model)
        pipelines, watch = build_pipelines(settings, camera, card), open_watch(settings, card)
        stats = LiveStats(source, watch)
        monitor = stack.enter_context(_open_monitor(settings, stats, recorder, notifier))
        reloader = Reloader(settings, load, lambda new: _apply(new, pipelines, source), notifier)
        stack.enter_context(reload_on_hangup(reloader))
        printer = JsonPrinter(stats) if as_json else PosePrinter()
        observers: tuple[Observer, ...] = (summary, monitor, watch, reloader, printer)
        for result in run_frames(source, pipelines, sinks, settings.frames):
            for observer in observers:
                observer.observe(result)
    print_report(summary, monitor, watch, as_json)
    return SinkError.exit_code if sinks.failed or (recorder is not None and recorder.problem) else 0


def _open_recorder(settings: Settings, camera: Camera, stack: ExitStack) -> Recorder | None:
    if settings.record is None:
        return None
    facts = {"software": f"roma-device {version('roma-device')}", "settings": settings.model_dump(mode="json")}
    folder = new_session(settings.record, facts, camera.calibration)
    logger.info(f"recording into {folder}")
    return stack.enter_context(Recorder(folder, wait=not isinstance(camera, LiveCamera)))


def _open_monitor(settings: Settings, stats: LiveStats, recorder: Recorder | None, notifier: Notifier) -> Monitor:
    chosen = settings.monitor
    monitor = Monitor(stats, notifier, chosen.healthy_s, chosen.status_file, recorder)
    if chosen.listen is not None:
        monitor.serve(chosen.listen, chosen.allow_remote, settings.model)
    return monitor


def _apply(new: Settings, pipelines: ResizingPipeline[Pipeline], source: FrameSource) -> None:
    """The keys of ``new`` that are marked as reloadable."""
    source.limit.set_max_fps(new.max_fps)
    pipelines.set_limits(new.depth)


def open_sinks(settings: Settings) -> dict[str, Sink]:
    """The sinks that the settings name, by name; raises SinkError and SettingsError."""
    names, folder = settings.output.save, settings.output.folder
    if not names and folder is None:
        return {}
    if "trajectory" in names and "pose" not in settings.task:
        message = "--save trajectory needs poses: give --task pose or depth,pose"
        raise SettingsError(message, exit_code=os.EX_USAGE)
    if folder is None:
        raise SettingsError("--save needs --output, the folder to write into", exit_code=os.EX_USAGE)
    prepare_output_folder(folder)
    default = ("results", "trajectory") if "pose" in settings.task else ("results",)
    return {name: open_sink(name, folder) for name in names or default}


def open_watch(settings: Settings, card: ModelCard) -> CalibrationWatch:
    """Who watches the rig's calibration during the run, by what the model tolerates."""
    return CalibrationWatch(card.tolerated_vertical_px / card.default_size[0], settings.health_every)
