"""Pipelines as the settings ask for them: calibration, network, odometry."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from loguru import logger

from roma_device.app.cameras import Camera
from roma_device.app.settings.settings import Settings, SettingsError
from roma_device.app.sinks import DENSE_SINKS
from roma_device.calibration.formats.own import load_calibration
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.size import Size
from roma_device.calibration.store import CalibrationStore
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import NpuOptions
from roma_device.runtime.odometry.stereo_odometry import OdometryOptions
from roma_device.runtime.pipeline import Pipeline, PipelineOptions, StereoPipeline
from roma_device.runtime.pose_pipeline import NoNetwork, PosePipeline

from .loop import PipelineForSize
from .odometry_tracker import open_tracker
from .rectification_choice import GeometryChoice, choose_rectification


def open_pipelines(settings: Settings, camera: Camera, card: ModelCard, needs_image: bool) -> PipelineForSize[Pipeline]:
    """Pipelines for the camera's frames and the settings' tasks; what is wrong with their files shows at once."""
    if settings.task == ("depth",):
        inner = depth_pipelines(settings, camera, card, needs_image)
        return PipelineForSize[Pipeline](inner.rectification_for, inner.pipeline_for)
    return _pose_pipelines(settings, camera, card, needs_image)


def _pose_pipelines(
    settings: Settings, camera: Camera, card: ModelCard, needs_image: bool
) -> PipelineForSize[Pipeline]:
    """With the pose, and with the network only where depth is asked for."""
    chosen = settings.odometry
    options = OdometryOptions(chosen.points, chosen.seed)
    tracker = open_tracker(chosen.tracker, pipeline_options(settings, needs_image=False))
    inner_for: Callable[[Rectification], Pipeline]
    if "depth" in settings.task:
        depth = depth_pipelines(settings, camera, card, needs_image)
        rectification_for, inner_for = depth.rectification_for, depth.pipeline_for
    else:
        _check_pose_alone(settings)
        rectification_for = _rectifications(settings, camera)
        inner_for = partial(NoNetwork, needs_image=needs_image)

    def pipeline_for(rectification: Rectification) -> Pipeline:
        return PosePipeline(inner_for(rectification), rectification, options, chosen.depth, tracker)

    return PipelineForSize(rectification_for, pipeline_for)


def _check_pose_alone(settings: Settings) -> None:
    """Refuse what only the network could give."""
    dense = [name for name in settings.output.save if name in DENSE_SINKS]
    if dense:
        raise SettingsError(f"--save {dense[0]} needs depth: give --task depth,pose", exit_code=os.EX_USAGE)
    if settings.odometry.depth == "model":
        raise SettingsError("odometry.depth: model needs the network: give --task depth,pose", exit_code=os.EX_USAGE)


def depth_pipelines(
    settings: Settings, camera: Camera, card: ModelCard, needs_image: bool
) -> PipelineForSize[StereoPipeline]:
    rectification_for, options = _rectifications(settings, camera), pipeline_options(settings, needs_image)
    return PipelineForSize(rectification_for, lambda rectification: StereoPipeline(card, rectification, options))


def _rectifications(settings: Settings, camera: Camera) -> Callable[[Size], Rectification]:
    """The rectification for frames of a size; the calibration is read now."""
    choice = GeometryChoice(
        stored_calibration(settings, camera),
        settings.rectified,
        settings.focal_px,
        settings.baseline_m,
        settings.view,
    )

    def rectification_for(size: Size) -> Rectification:
        return choose_rectification(choice, camera.calibration, size)

    return rectification_for


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


def pipeline_options(settings: Settings, needs_image: bool) -> PipelineOptions:
    """What the settings choose for every frame."""
    return PipelineOptions(
        settings.engine,
        settings.threads,
        settings.input_width,
        settings.depth.min_m,
        settings.depth.max_m,
        settings.depth.min_confidence,
        needs_image,
        NpuOptions(**settings.npu.model_dump()),
        settings.precision,
    )
