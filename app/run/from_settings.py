"""What a run is made of, as the settings ask for it: calibration, pipelines, odometry, sinks and the recorder."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version

from loguru import logger

from roma_device.app.cameras import Camera, LiveCamera
from roma_device.app.model_store import find_model, model_facts
from roma_device.app.publishers import open_publisher
from roma_device.app.recording.recorder import Recorder, new_session
from roma_device.app.run_folder.folder import RunFolder
from roma_device.app.settings.settings import Settings, SettingsError
from roma_device.app.sinks import DENSE_SINKS, Sink, open_sink
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.runtime.card import ModelCard, ModelError
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.obstacle_pipeline import ObstaclePipeline
from roma_device.runtime.odometry.trackers import TRACKERS, Tracker, make_tracker
from roma_device.runtime.pipeline import Pipeline, StereoPipeline
from roma_device.runtime.pose_pipeline import NoNetwork, PosePipeline

from .geometry import Geometry as Geometry
from .geometry import GeometryChoice as GeometryChoice
from .geometry import RectificationFor
from .geometry import choose_rectification as choose_rectification
from .geometry import rectifications as rectifications
from .geometry import stored_calibration as stored_calibration
from .loop import ResizingPipeline
from .narrator import RunFacts


def build_pipelines(
    settings: Settings, card: ModelCard, rectification_for: RectificationFor
) -> ResizingPipeline[Pipeline]:
    """Pipelines for the settings' tasks, one for each size of frame; what is wrong with their files shows at once."""
    if "pose" in settings.task:
        return ResizingPipeline(rectification_for, _pose_pipelines(settings, card))
    return ResizingPipeline(rectification_for, _dense_pipelines(settings, card))


def _dense_pipelines(settings: Settings, card: ModelCard) -> Callable[[Rectification], Pipeline]:
    """Of the network, and with obstacles where they are asked for."""
    depth_for, options = _depth_pipelines(settings, card), settings.obstacles
    if "obstacles" not in settings.task:
        return depth_for
    return lambda rectification: ObstaclePipeline(depth_for(rectification), options)


def _depth_pipelines(settings: Settings, card: ModelCard) -> Callable[[Rectification], StereoPipeline]:
    """Of the network alone."""
    options = network_options(settings)
    return lambda rectification: StereoPipeline(card, rectification, options, settings.depth)


def _pose_pipelines(settings: Settings, card: ModelCard) -> Callable[[Rectification], PosePipeline]:
    """With the pose, and with the network only where depth is asked for."""
    options = settings.odometry
    tracker = open_tracker(options.tracker, network_options(settings))
    inner_for: Callable[[Rectification], Pipeline] = NoNetwork
    if "depth" in settings.task:
        inner_for = _dense_pipelines(settings, card)
    else:
        _check_pose_alone(settings)
    return lambda rectification: PosePipeline(inner_for(rectification), options, tracker)


def _check_pose_alone(settings: Settings) -> None:
    """Refuse what only the network could give."""
    dense = [name for name in settings.output.save if name in DENSE_SINKS]
    if dense:
        raise SettingsError(
            lambda option: f"{option('save', dense[0])} needs depth: give {option('task', 'depth,pose')}",
            exit_code=os.EX_USAGE,
        )
    if settings.odometry.depth == "model":
        raise SettingsError(
            lambda option: f"odometry.depth: model needs the network: give {option('task', 'depth,pose')}",
            exit_code=os.EX_USAGE,
        )


def open_tracker(name: str, options: NetworkOptions) -> Tracker:
    """A tracker of TRACKERS, or the two-view model that ``name`` (bundle folder or bundled name) is.

    Raises ModelError for a name that is neither.
    """
    if name in TRACKERS:
        return make_tracker(name)
    known = " or ".join(TRACKERS)
    try:
        card = find_model(name)
    except ModelError as error:
        raise ModelError(f"tracker {name!r} is not {known}, and {error}", exit_code=error.exit_code) from None
    if card.task != "two_view":
        message = f"tracker: model {card.name} matches along rows only: give {known}, or a two_view model"
        raise ModelError(message, exit_code=os.EX_USAGE)
    from roma_device.runtime.matching.dense import DenseMatcher
    from roma_device.runtime.odometry.network_tracker import NetworkTracker

    return NetworkTracker(DenseMatcher(card, options))


def network_options(settings: Settings) -> NetworkOptions:
    """How the settings have networks run."""
    return NetworkOptions(
        engine=settings.engine,
        threads=settings.threads,
        input_width=settings.input_width,
        npu=settings.npu,
        precision=settings.precision,
        passes=settings.passes,
        keeps_rectified="obstacles" in settings.task,
    )


def open_run_folder(settings: Settings, stack: ExitStack) -> RunFolder | None:
    """The folder for results, this run's alone until ``stack`` closes; None where nothing is written.

    Raises SinkError and SettingsError.
    """
    names, folder = settings.output.save, settings.output.folder
    if not names and folder is None:
        return None
    if "trajectory" in names and "pose" not in settings.task:
        raise SettingsError(
            lambda option: f"{option('save', 'trajectory')} needs poses: give {option('task', 'pose')} or depth,pose",
            exit_code=os.EX_USAGE,
        )
    wanting = [name for name in names if name in ("scan", "grid")]
    if wanting and "obstacles" not in settings.task:
        raise SettingsError(
            lambda option: f"{option('save', wanting[0])} needs obstacles: give {option('task', 'depth,obstacles')}",
            exit_code=os.EX_USAGE,
        )
    if folder is None:
        raise SettingsError(
            lambda option: f"{option('save')} needs {option('output')}, the folder to write into", exit_code=os.EX_USAGE
        )
    return stack.enter_context(RunFolder.claim(folder, settings.output.existing))


def sink_names(settings: Settings, geometry: Geometry, is_live: bool) -> tuple[str, ...]:
    """What is written where there is a folder: what the settings name, else what one expects to find there.

    A live camera has no end, and its pictures would fill the disk: they are written where they are asked for.
    """
    if settings.output.save:
        return settings.output.save
    if "pose" in settings.task:
        return ("results", "trajectory")
    if is_live:
        return ("results",)
    return ("depth" if geometry.is_metric else "disparity", "preview", "results")


def open_sinks(settings: Settings, names: tuple[str, ...], folder: RunFolder | None) -> dict[str, Sink]:
    """The sinks ``names``, by name, which write into ``folder``, and the publishers; raises SinkError."""
    publishers = {spec: open_publisher(spec) for spec in settings.publish}
    if folder is None:
        return publishers
    return {name: open_sink(name, folder.path, resumed=folder.is_resumed) for name in names} | publishers


def run_facts(
    settings: Settings, geometry: Geometry, camera: Camera, folder: RunFolder | None, sinks: SinkSet
) -> RunFacts:
    """What is known before the first frame."""
    # Not of the protocol: cameras of other programs go without.
    known = [frames for frames in (getattr(camera, "total_frames", None), settings.frames) if frames is not None]
    is_live = isinstance(camera, LiveCamera)
    saved = tuple(name for name in sinks.sinks if name not in settings.publish)
    total = min(known) if known else None
    return RunFacts(settings, geometry, is_live, total, folder.path if folder else None, saved)


def begin_run(
    folder: RunFolder | None, settings: Settings, card: ModelCard, camera: Camera, geometry: Geometry
) -> None:
    """Have ``run.json`` say what this run is made of; raises SinkError."""
    if folder is None:
        return
    facts = settings.model_dump(mode="json")
    folder.begin(facts, model_facts(card), geometry.as_json(), redo_last=not isinstance(camera, LiveCamera))


def open_recorder(
    settings: Settings, camera: Camera, calibration: StereoCalibration | None, stack: ExitStack
) -> Recorder | None:
    """Who keeps the raw pairs, and the calibration that the run has, until ``stack`` closes.

    None where nobody asked for it.
    """
    if settings.record is None:
        return None
    facts = {"software": f"roma-device {version('roma-device')}", "settings": settings.model_dump(mode="json")}
    folder = new_session(settings.record, facts, calibration or camera.calibration)
    logger.info(f"recording into {folder}")
    return stack.enter_context(Recorder(folder, wait=not isinstance(camera, LiveCamera)))
