"""``roma-device measure``: frames of a still scene, and what they say of depth."""

from __future__ import annotations

import os
import threading
from itertools import islice

import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.cameras.source import open_source
from roma_device.app.model_store import find_model, model_name
from roma_device.app.run.from_settings import build_pipelines
from roma_device.app.run.geometry import choose_geometry
from roma_device.app.run.loop import run_frames
from roma_device.app.settings.settings import Settings
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.calibration.errors import CalibrationError, RomaError
from roma_device.runtime.depth_quality import measure_quality
from roma_device.runtime.filters.options import Region
from roma_device.runtime.filters.spatial import region_mask

from .report import QualityReport

MIDDLE: Region = (0.3, 0.3, 0.7, 0.7)


def run_measure(settings: Settings, frames: int, region: Region = MIDDLE, tape_m: float | None = None) -> QualityReport:
    """Measure ``frames`` frames; raises RomaError, and CalibrationError where the rig is not metric."""
    camera_name = settings.camera or "simulated"
    with open_camera(camera_name) as camera:
        source = open_source(camera, threading.Event(), settings.max_fps)
        geometry = choose_geometry(settings, camera)
        pipelines = build_pipelines(settings, find_model(settings.model), geometry.rectification)
        results = list(islice(run_frames(source, pipelines, SinkSet({}), frames), frames))
    if not results:
        raise RomaError(f"camera {camera_name} gave no frame", exit_code=os.EX_NOINPUT)
    rig, disparities = results[0].rig, [one.matches.disparity_px for one in results]
    if rig is None or not rig.is_metric or any(one is None for one in disparities):
        raise CalibrationError(
            lambda option: (
                "depth quality in metres needs the rig's geometry: give "
                f"{option('calibration', 'FILE')}, or {option('focal-px')} and {option('baseline-m')}"
            ),
            exit_code=os.EX_USAGE,
        )
    mask = region_mask(region, rig.size)
    maps = np.array([one for one in disparities if one is not None and one.shape == mask.shape])
    known = np.array([one.known for one in results if one.known.shape == mask.shape])
    quality = measure_quality(maps, known, rig, mask)
    return QualityReport(quality, camera_name, model_name(settings.model), settings.depth.preset, tape_m)
