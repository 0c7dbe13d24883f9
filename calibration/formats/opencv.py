"""OpenCV's FileStorage: ``%YAML:1.0`` as version 4 writes it, ``%YAML 1.2`` as version 5 does, XML and JSON.

None of them is YAML to other readers, so OpenCV itself reads them. Names are those of its stereo sample
(M1, D1, M2, D2, R, T, R1, R2, P1, P2, Q) or of what people write instead.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from loguru import logger

from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError, located
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.storage.files import read_text, write_text

from .lens import camera_of
from .raw_rig import RawRig

NAMES = {
    "M1": ("M1", "K1", "cameraMatrix1", "camera_matrix_1", "left_camera_matrix", "CM1", "KL"),
    "D1": ("D1", "distCoeffs1", "distortion_coefficients_1", "left_distortion_coefficients", "DL"),
    "M2": ("M2", "K2", "cameraMatrix2", "camera_matrix_2", "right_camera_matrix", "CM2", "KR"),
    "D2": ("D2", "distCoeffs2", "distortion_coefficients_2", "right_distortion_coefficients", "DR"),
    "R": ("R", "rotation"),
    "T": ("T", "translation"),
}
FISHEYE_SHARE = 0.55
"""Focal length over width below which (84 degrees) lenses are often fisheyes."""

MODEL_NAMES = ("distortion_model", "camera_model", "lens_model", "model")
WIDTHS, HEIGHTS = ("image_width", "width", "imageWidth"), ("image_height", "height", "imageHeight")
SIZES = ("image_size", "imageSize", "img_size", "ImageSize")


def save_opencv(path: Path, calibration: StereoCalibration) -> None:
    """Write one file with everything, in the dialect of the OpenCV that is installed."""
    rectification = Rectification.from_calibration(calibration)
    rig, focal = rectification.rig, rectification.rig.focal_px or 1.0
    first = np.array([[focal, 0, rig.cx, 0], [0, focal, rig.cy, 0], [0, 0, 1, 0]])
    second = first.copy()
    second[0, 3] = -focal * calibration.baseline_m
    matrices = {
        "M1": calibration.left.matrix,
        "D1": calibration.left.distortion[None],
        "M2": calibration.right.matrix,
        "D2": calibration.right.distortion[None],
        "R": calibration.right_from_left.rotation,
        "T": calibration.right_from_left.translation_m[:, None],
        "R1": rectification.left_rotation,
        "R2": rectification.right_rotation,
        "P1": first,
        "P2": second,
    }
    storage = cv2.FileStorage(".yml", cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY | cv2.FILE_STORAGE_FORMAT_YAML)
    storage.write("image_width", calibration.left.size[0])
    storage.write("image_height", calibration.left.size[1])
    storage.write("distortion_model", calibration.left.model)
    for name, matrix in matrices.items():
        storage.write(name, np.ascontiguousarray(matrix, np.float64))
    write_text(path, storage.releaseAndGetString(), make_folder=True)


def read_opencv(paths: list[Path], size: Size | None = None) -> RawRig:
    """Read one file, or intrinsics and extrinsics apart; ``size`` where the files do not tell the image size."""
    nodes: dict[str, FloatArray] = {}
    facts: dict[str, Any] = {}
    for path in paths:
        _collect(path, nodes, facts)
    missing = [name for name in NAMES if name not in nodes]
    where = " and ".join(str(path) for path in paths)
    if missing:
        raise CalibrationError(f"{where}: {', '.join(missing)} not found; known names are those of stereo_calib")
    size = facts.get("size", size)
    if size is None:
        raise CalibrationError(
            lambda option: f"{where}: the image size is not in it: say it with {option('size', 'WIDTHxHEIGHT')}",
            exit_code=os.EX_USAGE,
        )
    if nodes["R"].size not in (3, 9):
        raise CalibrationError(f"{where}: R holds {nodes['R'].size} numbers, neither 9 of a matrix nor 3 of a vector")
    with located(where):
        first, second = (_camera(nodes, number, size, facts) for number in (1, 2))
        rotation = nodes["R"] if nodes["R"].size == 9 else cv2.Rodrigues(nodes["R"])[0]
        return RawRig(first, second, Pose.from_rounded(np.asarray(rotation), nodes["T"]))


def _camera(nodes: dict[str, FloatArray], number: int, size: Size, facts: dict[str, Any]) -> CameraModel:
    """Four coefficients without a name may be a fisheye lens's: said, where the image is as wide as one's."""
    matrix, lens, model = nodes[f"M{number}"].reshape(3, 3), nodes[f"D{number}"], facts.get("model", "")
    if not model and lens.size == 4 and lens.any() and matrix[0, 0] < FISHEYE_SHARE * size[0]:
        logger.warning(
            "camera {}: four coefficients without a distortion_model are taken for k1 k2 p1 p2 of plumb_bob; at this "
            "angle of view they may be a fisheye lens's: then add the line distortion_model: equidistant",
            number,
        )
    return camera_of(size, matrix, model, lens)


def _collect(path: Path, nodes: dict[str, FloatArray], facts: dict[str, Any]) -> None:
    text = read_text(path, "OpenCV file")
    with _opened(text, path) as storage:
        for name, spellings in NAMES.items():
            found = next((node for node in map(storage.getNode, spellings) if not node.empty()), None)
            matrix = found.mat() if found is not None and found.isMap() else None
            if matrix is not None:
                if not np.isfinite(matrix).all():
                    raise CalibrationError(f"{path}: {name} holds a number that is not finite")
                nodes[name] = np.asarray(matrix, np.float64)
        width, height = (_number(storage, names) for names in (WIDTHS, HEIGHTS))
        if not (width and height):
            width, height = _size(storage)
        if width and height:
            facts["size"] = Size(int(width), int(height))
        model = next(filter(None, (storage.getNode(name).string() for name in MODEL_NAMES)), "")
        if model:
            facts["model"] = model


@contextmanager
def _opened(text: str, path: Path) -> Iterator[Any]:
    """A FileStorage over text; it takes a file whose ending tells the format."""
    ending = {"<": ".xml", "{": ".json"}.get(text.lstrip()[:1], ".yml")
    with tempfile.NamedTemporaryFile("w", suffix=ending, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            storage = cv2.FileStorage(file.name, cv2.FILE_STORAGE_READ)
        except (cv2.error, SystemError) as error:
            raise CalibrationError(f"{path} is not a file of OpenCV's FileStorage") from error
        if not storage.isOpened():
            raise CalibrationError(f"{path} is not a file of OpenCV's FileStorage")
        try:
            yield storage
        except (cv2.error, SystemError) as error:
            raise CalibrationError(f"{path} holds a matrix whose rows, columns and data do not fit") from error
        finally:
            storage.release()


def _size(storage: Any) -> tuple[float, float]:
    """Of a sequence of width and height; zeros where there is none."""
    for name in SIZES:
        node = storage.getNode(name)
        if not node.empty() and node.isSeq() and node.size() == 2:
            return float(node.at(0).real()), float(node.at(1).real())
    return 0.0, 0.0


def _number(storage: Any, names: tuple[str, ...]) -> float:
    for name in names:
        node = storage.getNode(name)
        if not node.empty() and (node.isInt() or node.isReal()):
            return float(node.real())
    return 0.0
