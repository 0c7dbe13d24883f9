"""``roma-device run``: everything opened in order, the loop, and the observers of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

import click

from roma_device.app.cameras import open_camera
from roma_device.app.cameras.source import FrameSource, open_source
from roma_device.app.model_store import find_model, model_name
from roma_device.app.recording.recorder import Recorder
from roma_device.app.service.health import Health
from roma_device.app.service.live_stats import LiveStats
from roma_device.app.service.monitor import Monitor
from roma_device.app.service.notify import Notifier
from roma_device.app.service.reload import Reloader, reload_on_hangup
from roma_device.app.settings.settings import Settings
from roma_device.app.sinks import SinkError
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.calibration.errors import RomaError
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import Engine
from roma_device.runtime.pipeline import Pipeline
from roma_device.runtime.types import Result

from .calibration_watch import CalibrationWatch
from .from_settings import (
    begin_run,
    build_pipelines,
    open_recorder,
    open_run_folder,
    open_sinks,
    run_facts,
    sink_names,
)
from .geometry import choose_geometry
from .loop import ResizingPipeline, run_frames, stop_on_signals
from .narrator import Narrator, RunFacts
from .printer import JsonPrinter, PosePrinter, print_report
from .serving import served, serving_facts
from .summary import Summary
from .trial_guard import TrialGuard


class Observer(Protocol):
    """Watches a run; what fails in it stops nothing."""

    def observe(self, result: Result) -> None:
        """Take a result that went all the way through into account."""


DEFAULT_CAMERA = "simulated"


def run_from_settings(
    settings: Settings,
    load: Callable[[], Settings],
    as_json: bool,
    is_quiet: bool = False,
    guard: TrialGuard | None = None,
) -> int:
    """Process frames until the camera ends or a signal comes; returns the exit code.

    ``load`` reads the settings anew when SIGHUP asks for it. ``is_quiet``: nothing is said of the run itself.
    ``guard``: who judges what is on trial.
    """
    summary, notifier = Summary(), Notifier()
    with ExitStack() as stack:
        folder = open_run_folder(settings, stack)
        stop = stack.enter_context(stop_on_signals())
        reloader = stack.enter_context(Reloader(settings, load, notifier))
        stack.enter_context(reload_on_hangup(reloader))
        camera = stack.enter_context(open_camera(settings.camera or DEFAULT_CAMERA))
        card, geometry = find_model(settings.model), choose_geometry(settings, camera)
        recorder = open_recorder(settings, camera, geometry.calibration, stack)
        source = open_source(camera, stop, settings.max_fps, recorder)
        sinks = SinkSet(open_sinks(settings, sink_names(settings, geometry, source.is_live), folder))
        begin_run(folder, settings, card, camera, geometry)
        pipelines, watch = build_pipelines(settings, card, geometry.rectification), open_watch(settings, card)
        stats = LiveStats(source, watch)
        monitor = stack.enter_context(_open_monitor(settings, stats, sinks, recorder, notifier))
        observers: list[Observer] = [summary, monitor, *_guarded(guard, stats)]
        monitor.tell(lambda: served(serving_facts(settings, card, geometry), guard))
        view = _open_view(settings, monitor, watch, stack)
        reloader.apply_with(lambda new: _apply(new, pipelines, source))
        printer = JsonPrinter(stats) if as_json else PosePrinter()
        facts = run_facts(settings, geometry, camera, folder, sinks)
        narrator = _narrator(facts, pipelines, watch, as_json, is_quiet)
        observers += [narrator, watch, reloader, printer, *([folder] if folder else []), *view]
        first_index = folder.first_index if folder else 0

        def report() -> None:
            if as_json or not is_quiet:
                print_report(summary, monitor, watch, as_json)
            narrator.end(sinks.problem)

        with _told_of_if_broken(summary, report):
            for result in run_frames(source, pipelines, sinks, settings.frames, first_index):
                for observer in observers:
                    observer.observe(result)
        if folder is not None:
            folder.end(sinks.problem, "stopped by a signal" if stop.is_set() else None)
    report()
    return SinkError.exit_code if sinks.failed or (recorder is not None and recorder.failures) else 0


@contextmanager
def _told_of_if_broken(summary: Summary, report: Callable[[], None]) -> Iterator[None]:
    """What was done before an error ends the run is told before it: hours of frames may stand behind them."""
    try:
        yield
    except RomaError:
        if summary.frames:
            report()
        raise


def _guarded(guard: TrialGuard | None, stats: LiveStats) -> list[Observer]:
    if guard is None:
        return []
    guard.attach(stats)
    return [guard]


def _narrator(
    facts: RunFacts, pipelines: ResizingPipeline[Pipeline], watch: CalibrationWatch, as_json: bool, is_quiet: bool
) -> Narrator:
    """Who says what the run does: on stdout, but for JSON on stderr."""

    def say(line: str) -> None:
        if not is_quiet:
            click.echo(f"# {line}" if "pose" in facts.settings.task and not as_json else line, err=as_json)

    def engine() -> Engine | None:
        return None if pipelines.current is None else pipelines.current.engine

    return Narrator(facts, engine, say, watch.hush, is_quiet)


def _open_monitor(
    settings: Settings, stats: LiveStats, sinks: SinkSet, recorder: Recorder | None, notifier: Notifier
) -> Monitor:
    chosen = settings.monitor
    monitor = Monitor(Health(stats, chosen.healthy_s, sinks, recorder), notifier, chosen.status_file)
    if chosen.listen is not None:
        monitor.serve(chosen.listen, chosen.allow_remote, model_name(settings.model))
    return monitor


def _open_view(settings: Settings, monitor: Monitor, watch: CalibrationWatch, stack: ExitStack) -> list[Observer]:
    """The live page where it is asked for, on the monitor's server if that has its address."""
    if settings.page.listen is None:
        return []
    from roma_device.app.view.live_view import LiveView

    chosen = {"model": model_name(settings.model), "engine": settings.engine}
    shared = monitor.web if settings.page.listen == settings.monitor.listen else None
    status = lambda: {**monitor.status(), "calibration": watch.as_json(), **chosen}  # noqa: E731
    return [stack.enter_context(LiveView(settings.page, status, shared))]


def _apply(new: Settings, pipelines: ResizingPipeline[Pipeline], source: FrameSource) -> None:
    """The keys of ``new`` that are marked as reloadable."""
    source.limit.set_max_fps(new.max_fps)
    pipelines.set_limits(new.depth)


def open_watch(settings: Settings, card: ModelCard) -> CalibrationWatch:
    """Who watches the rig's calibration during the run, by what the model tolerates."""
    return CalibrationWatch(card.tolerated_share, settings.health_every)
