"""Outputs of a run as the settings ask for them: sinks and the recorder."""

from __future__ import annotations

import os
from contextlib import ExitStack
from importlib.metadata import version

from loguru import logger

from roma_device.app.cameras import Camera, LiveCamera
from roma_device.app.recording.recorder import Recorder, new_session
from roma_device.app.settings.settings import Settings, SettingsError
from roma_device.app.sinks import Sink, open_sink
from roma_device.app.sinks.output_folder import prepare_output_folder


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


def open_recorder(settings: Settings, camera: Camera, stack: ExitStack) -> Recorder | None:
    """Who keeps the raw pairs until ``stack`` closes; None where nobody asked for it."""
    if settings.record is None:
        return None
    facts = {"software": f"roma-device {version('roma-device')}", "settings": settings.model_dump(mode="json")}
    folder = new_session(settings.record, facts, camera.calibration)
    logger.info(f"recording into {folder}")
    return stack.enter_context(Recorder(folder, wait=not isinstance(camera, LiveCamera)))
