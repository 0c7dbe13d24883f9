"""A single camera for other programs: ROS camera_info, OpenCV's FileStorage, Kalibr's camchain with one camera."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from loguru import logger

from roma_device.calibration.camera import CameraModel
from roma_device.calibration.storage.files import write_text
from roma_device.calibration.storage.yaml_section import dump_yaml

from .kalibr import camera_document, kalibr_lens
from .ros import camera_info

SINGLE = ("ros", "opencv", "kalibr")


def save_camera(path: Path, camera: CameraModel, format_name: str, facts: Mapping[str, str]) -> None:
    """Write ``path``, replacing what is there, with ``facts`` (board, date...) as comments.

    Raises CalibrationError where it cannot be written, and for a lens that no model of Kalibr comes near to.
    """
    text = {"ros": _ros, "opencv": _opencv, "kalibr": _kalibr}[format_name](camera, facts)
    write_text(path, text, make_folder=True)


def check_lens(camera: CameraModel, format_name: str) -> None:
    """Raise CalibrationError where the format has no model that comes near to the lens."""
    if format_name == "kalibr":
        kalibr_lens(camera)


def _ros(camera: CameraModel, facts: Mapping[str, str]) -> str:
    projection = np.column_stack([camera.matrix, np.zeros(3)])
    return _commented(camera_info("camera", camera, np.eye(3), projection), facts)


def _kalibr(camera: CameraModel, facts: Mapping[str, str]) -> str:
    lens = kalibr_lens(camera)
    if lens.remark:
        logger.warning("{}", lens.remark)
        facts = {**facts, "lens": lens.remark}
    return _commented({"cam0": camera_document(lens.camera)}, facts)


def _commented(document: dict[str, Any], facts: Mapping[str, str]) -> str:
    comments = "".join(f"# {key}: {value}\n" for key, value in facts.items())
    return comments + dump_yaml(document)


def _opencv(camera: CameraModel, facts: Mapping[str, str]) -> str:
    """With the names of OpenCV's calibration sample."""
    flags = cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY | cv2.FILE_STORAGE_FORMAT_YAML
    storage = cv2.FileStorage(".yml", flags)
    for key, value in facts.items():
        storage.writeComment(f"{key}: {value}")
    storage.write("image_width", camera.size[0])
    storage.write("image_height", camera.size[1])
    storage.write("distortion_model", camera.model)
    storage.write("camera_matrix", np.ascontiguousarray(camera.matrix))
    storage.write("distortion_coefficients", np.ascontiguousarray(camera.distortion[None]))
    return str(storage.releaseAndGetString())
