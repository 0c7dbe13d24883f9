"""Pipelines as the settings ask for them: calibration, network, odometry."""

from __future__ import annotations

import os
from collections.abc import Callable

from loguru import logger

from roma_device.app.cameras import Camera
from roma_device.app.model_store import find_model
from roma_device.app.settings.settings import Settings, SettingsError
from roma_device.app.sinks import DENSE_SINKS
from roma_device.calibration.formats.own import load_calibration
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.size import Size
from roma_device.calibration.store import CalibrationStore
from roma_device.runtime.card import ModelCard, ModelError
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.odometry.trackers import TRACKERS, Tracker, make_tracker
from roma_device.runtime.pipeline import Pipeline, StereoPipeline
from roma_device.runtime.pose_pipeline import NoNetwork, PosePipeline

from .loop import ResizingPipeline
from .rectification_choice import GeometryChoice, choose_rectification

RectificationFor = Callable[[Size], Rectification]
"""Size of a camera's frames -> how they are rectified."""


def build_pipelines(
    settings: Settings, card: ModelCard, rectification_for: RectificationFor
) -> ResizingPipeline[Pipeline]:
    """Pipelines for the settings' tasks, one for each size of frame; what is wrong with their files shows at once."""
    if settings.task == ("depth",):
        return ResizingPipeline[Pipeline](rectification_for, _depth_pipelines(settings, card))
    return ResizingPipeline(rectification_for, _pose_pipelines(settings, card))


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
        inner_for = _depth_pipelines(settings, card)
    else:
        _check_pose_alone(settings)
    return lambda rectification: PosePipeline(inner_for(rectification), options, tracker)


def _check_pose_alone(settings: Settings) -> None:
    """Refuse what only the network could give."""
    dense = [name for name in settings.output.save if name in DENSE_SINKS]
    if dense:
        raise SettingsError(f"--save {dense[0]} needs depth: give --task depth,pose", exit_code=os.EX_USAGE)
    if settings.odometry.depth == "model":
        message = "odometry.depth: model needs the network: give --task depth,pose"
        raise SettingsError(message, exit_code=os.EX_USAGE)


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
    from roma_device.runtime.odometry.trackers.network import NetworkTracker

    return NetworkTracker(DenseMatcher(card, options))


def rectifications(
    settings: Settings, camera: Camera, calibration: StereoCalibration | None = None
) -> RectificationFor:
    """By the calibration that the settings name or that is given instead; a file is read now."""
    choice = GeometryChoice(
        calibration=calibration or stored_calibration(settings, camera),
        rectified=settings.rectified,
        focal_px=settings.focal_px,
        baseline_m=settings.baseline_m,
        view=settings.view,
    )
    return lambda size: choose_rectification(choice, camera.calibration, size)


def stored_calibration(settings: Settings, camera: Camera) -> StereoCalibration | None:
    """The file named; for a camera that knows none itself the stored version in use."""
    if settings.calibration is not None:
        return load_calibration(settings.calibration)
    if settings.rectified or camera.calibration is not None:
        return None
    version = CalibrationStore().current()
    if version is None:
        return None
    logger.info("calibration: stored version {}, {}", version.number, version.path)
    return version.load()


def network_options(settings: Settings) -> NetworkOptions:
    """How the settings have networks run."""
    return NetworkOptions(
        engine=settings.engine,
        threads=settings.threads,
        input_width=settings.input_width,
        npu=settings.npu,
        precision=settings.precision,
    )
