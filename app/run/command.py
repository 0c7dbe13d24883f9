"""``roma-device run``: everything opened in order, the loop, and those who watch it."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any

import click
from loguru import logger

from roma_device.app.cameras import Camera, LiveCamera, open_camera
from roma_device.app.cameras.source import FrameSource, open_source
from roma_device.app.model_store import find_model
from roma_device.app.recording.recorder import Recorder, new_session
from roma_device.app.service.live_stats import LiveFigures
from roma_device.app.service.monitor import Monitor
from roma_device.app.service.notify import Notifier
from roma_device.app.service.reload import Reloader, reload_on_hangup
from roma_device.app.settings.settings import Settings, SettingsError
from roma_device.app.sinks import Sink, SinkError, open_sink
from roma_device.app.sinks.output_folder import prepare_output_folder
from roma_device.app.sinks.result_record import result_record
from roma_device.app.trajectories.tum import HEADER, tum_line
from roma_device.runtime.card import ModelCard
from roma_device.runtime.pipeline import Pipeline
from roma_device.runtime.types import Result

from .calibration_watch import HealthMonitor
from .loop import PipelineForSize, SinkSet, run_frames, stop_on_signals
from .open_pipelines import open_pipelines, pipeline_options
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
        card, needs_image = find_model(settings.model), any(sink.needs_image for sink in sinks.sinks.values())
        pipelines = open_pipelines(settings, camera, card, needs_image)
        monitor = stack.enter_context(_open_monitor(settings, source, recorder, notifier))
        reloader = Reloader(settings, load, lambda new: _apply(new, pipelines, source), notifier)
        stack.enter_context(reload_on_hangup(reloader))
        health = open_health_monitor(settings, card, pipelines)
        for result in run_frames(source, pipelines, sinks, settings.frames):
            summary.add(result)
            monitor.add(result)
            health.observe(result)
            monitor.figures.vertical_px = health.vertical_px
            reloader.reload_if_asked()
            if as_json:
                click.echo(json.dumps({**result_record(result), **_live_record(monitor, source)}))
            else:
                _print_pose(result)
    _report(summary, monitor, health, as_json)
    return SinkError.exit_code if sinks.failed or (recorder is not None and recorder.problem) else 0


def _live_record(monitor: Monitor, source: FrameSource) -> dict[str, float | None]:
    """What only a live camera can tell of a frame."""
    if not source.is_live:
        return {}
    last = monitor.figures.recent[-1]
    return {
        "latency_ms": None if last.latency_ms is None else round(last.latency_ms, 3),
        "mailbox_age_ms": round(last.mailbox_age_ms, 3),
    }


def _report(summary: Summary, monitor: Monitor, health: HealthMonitor, as_json: bool) -> None:
    live = monitor.figures.source.is_live
    if as_json:
        record = summary.as_json() | ({"live": monitor.status()} if live else {})
        click.echo(json.dumps({"summary": record, "calibration": health.as_json()}))
    else:
        text = summary.as_text() + (f"\n{monitor.figures.as_line()}" if live else "")
        click.echo(textwrap.indent(text, "# ") if summary.way.states else text)


def _print_pose(result: Result) -> None:
    """A TUM line on stdout where there is a pose: with the remarks around it, stdout is a trajectory."""
    if result.pose is None:
        return
    if result.index == 0:
        click.echo(HEADER)
    if result.pose.odom_from_camera is None:
        click.echo(f"# frame {result.index} lost: {', '.join(result.pose.reasons)}")
    else:
        click.echo(tum_line(result.pose.timestamp_ns, result.pose.odom_from_camera))


def _open_recorder(settings: Settings, camera: Camera, stack: ExitStack) -> Recorder | None:
    if settings.record is None:
        return None
    facts = {"software": f"roma-device {version('roma-device')}", "settings": settings.model_dump(mode="json")}
    folder = new_session(settings.record, facts, camera.calibration)
    logger.info(f"recording into {folder}")
    return stack.enter_context(Recorder(folder, wait=not isinstance(camera, LiveCamera)))


def _open_monitor(settings: Settings, source: FrameSource, recorder: Recorder | None, notifier: Notifier) -> Monitor:
    chosen = settings.monitor
    monitor = Monitor(LiveFigures(source), notifier, chosen.healthy_s, chosen.status_file)
    monitor.recorder = recorder
    if chosen.listen is not None:
        monitor.serve(chosen.listen, chosen.allow_remote, settings.model)
    return monitor


def _apply(new: Settings, pipelines: PipelineForSize[Pipeline], source: FrameSource) -> None:
    """The keys of ``new`` that are marked as reloadable."""
    source.limit.max_fps = new.max_fps
    pipelines.set_limits(pipeline_options(new, needs_image=False))


def open_sinks(settings: Settings) -> dict[str, Sink]:
    """The sinks that the settings name, by name; raises SinkError and SettingsError."""
    names, folder = settings.output.save, settings.output.folder
    if not names and folder is None:
        return {}
    if "trajectory" in names and "pose" not in settings.task:
        raise SettingsError("--save trajectory needs poses: give --task pose or depth,pose", exit_code=os.EX_USAGE)
    if folder is None:
        raise SettingsError("--save needs --output, the folder to write into", exit_code=os.EX_USAGE)
    prepare_output_folder(folder)
    default = ("results", "trajectory") if "pose" in settings.task else ("results",)
    return {name: open_sink(name, folder) for name in names or default}


def open_health_monitor(settings: Settings, card: ModelCard, pipelines: PipelineForSize[Any]) -> HealthMonitor:
    """Who watches the rig's calibration during the run, by what the model tolerates."""
    share = card.tolerated_vertical_px / card.default_size[0]
    return HealthMonitor(pipelines.rectification_for, share, settings.health_every)
