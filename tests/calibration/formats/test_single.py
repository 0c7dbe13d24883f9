"""A single camera for other programs: what is written gives the same projection when it is read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from roma_device.app.simulation.worlds.rigs import virtual_rig
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.formats.single import SINGLE, save_camera

FACTS = {"board": "chessboard:9x6:30mm", "rms_px": "0.1"}
POINTS_M = np.random.default_rng(0).uniform([-0.4, -0.3, 0.8], [0.4, 0.3, 2], (50, 3))


def camera(lens: str) -> CameraModel:
    return virtual_rig((640, 400), lens, 1).left


def read_again(path: Path, format_name: str) -> CameraModel:
    """By the rules of each format, not by our own readers."""
    if format_name == "opencv":
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
        size = int(storage.getNode("image_width").real()), int(storage.getNode("image_height").real())
        matrix, lens = (storage.getNode(name).mat() for name in ("camera_matrix", "distortion_coefficients"))
        return CameraModel(size, matrix, lens, storage.getNode("distortion_model").string())  # type: ignore[arg-type]
    document = yaml.safe_load(path.read_text())
    if format_name == "ros":
        size = document["image_width"], document["image_height"]
        matrix, lens = (document[name]["data"] for name in ("camera_matrix", "distortion_coefficients"))
        assert np.reshape(document["projection_matrix"]["data"], (3, 4))[:, 3].tolist() == [0, 0, 0]
        return CameraModel(size, np.array(matrix), np.array(lens), document["distortion_model"])
    first = document["cam0"]
    assert "T_cn_cnm1" not in first
    fx, fy, cx, cy = first["intrinsics"]
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    fisheye = first["distortion_model"] == "equidistant"
    lens = np.array([*first["distortion_coeffs"], *([] if fisheye else [0.0])])
    return CameraModel(tuple(first["resolution"]), matrix, lens, "equidistant" if fisheye else "plumb_bob")


@pytest.mark.parametrize("format_name", SINGLE)
@pytest.mark.parametrize("lens", ["plumb_bob", "rational", "fisheye"])
def test_what_is_written_projects_as_before(tmp_path: Path, lens: str, format_name: str) -> None:
    path = tmp_path / "camera.yml"
    is_refitted = format_name == "kalibr" and lens == "rational"
    save_camera(path, camera(lens), format_name, FACTS)
    np.testing.assert_allclose(
        read_again(path, format_name).project(POINTS_M), camera(lens).project(POINTS_M), atol=1 if is_refitted else 1e-6
    )
    assert ("refitted as equidistant, which is" in path.read_text()) == is_refitted
    assert "rms_px: 0.1" in path.read_text()
