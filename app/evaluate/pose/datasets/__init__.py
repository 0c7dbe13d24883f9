"""Relative-pose data sets: image pairs with known relative pose: one file for each layout, named in POSE_SETS."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roma_device.app.evaluate import EvaluationError, reading
from roma_device.app.evaluate.stereo.ground_truth import read_grey
from roma_device.calibration.arrays import FloatArray, Image, Size
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.plausibility import camera_findings
from roma_device.calibration.pose import Pose
from roma_device.runtime import registry


@dataclass(frozen=True, slots=True, eq=False)
class PoseImage:
    """An image file and its camera."""

    path: Path
    matrix: FloatArray  # (3, 3) fx, fy, cx, cy in px, pixel centres at integers
    size: Size | None = None  # (width, height) that the matrix is for; None: that of the file

    def load(self) -> tuple[Image, CameraModel]:
        """The grey image (H, W) and the camera for its size; raises OSError, ValueError and CalibrationError."""
        image = read_grey(self.path)
        size = Size.of(image)
        camera = CameraModel(self.size or size, self.matrix, np.zeros(5)).fitted_to(size, "K")
        unusual_about(camera)
        return image, camera


def unusual_about(camera: CameraModel) -> list[str]:
    """Words for what is unusual; raises CalibrationError for a matrix of another image, most likely of another size."""
    findings = list(camera_findings(camera))
    if absurd := next((finding for finding in findings if finding.is_absurd), None):
        raise CalibrationError(f"K: {absurd.words}")
    return [finding.words for finding in findings]


@dataclass(frozen=True, slots=True, eq=False)
class PosePair:
    """Two images, and ``b_from_a``, whose length may be in any unit."""

    index: Path  # the file that names the pair
    id: str
    set: str  # part of the data that is scored by itself as well
    a: PoseImage
    b: PoseImage
    b_from_a: Pose

    def load(self) -> tuple[tuple[Image, CameraModel], tuple[Image, CameraModel]]:
        """Both images with their cameras; raises EvaluationError."""
        return self._load("a", self.a), self._load("b", self.b)

    def _load(self, key: str, image: PoseImage) -> tuple[Image, CameraModel]:
        with reading(f"{self.index}: pair {self.id!r}: {key}", image.path):
            return image.load()


def checked_pose(rotation: npt.ArrayLike, translation: npt.ArrayLike, where: str) -> Pose:
    """The pose, its rotation made exact; raises EvaluationError where it is no pose, or a pure rotation."""
    if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
        raise EvaluationError(f"{where}: the pose holds a value that is not finite")
    pose = Pose.from_rounded(rotation, translation)
    matrix, shift = pose.rotation, pose.translation_m
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-4) or np.linalg.det(matrix) < 0:
        raise EvaluationError(f"{where}: the rotation is not a rotation matrix")
    if not shift.any():
        raise EvaluationError(f"{where}: the translation is zero: its direction cannot be scored")
    return pose


def checked_matrix(values: npt.ArrayLike, where: str) -> FloatArray:
    """A camera matrix (3, 3); raises EvaluationError."""
    matrix = np.asarray(values, np.float64).reshape(3, 3)
    if not np.isfinite(matrix).all() or matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        raise EvaluationError(f"{where}: K is not a camera matrix with positive focal lengths")
    return matrix


Loader = Callable[[Path, Path], list[PosePair]]

POSE_SETS: dict[str, str] = {
    "own": "roma_device.app.evaluate.pose.datasets.own:load_own",
    "superglue": "roma_device.app.evaluate.pose.datasets.superglue:load_superglue",
    "megadepth": "roma_device.app.evaluate.pose.datasets.megadepth:load_megadepth",
    "scannet": "roma_device.app.evaluate.pose.datasets.scannet:load_scannet",
}
"""Layout -> "module:function" of the list's file and the images' folder."""


def load_pairs(path: Path, format_name: str | None = None, images: Path | None = None) -> list[PosePair]:
    """The pairs that ``path`` lists; a folder stands for all the .npz files in it. Raises EvaluationError.

    ``images``: the folder that the images' paths start from, by default that of the list.
    """
    if format_name is not None and format_name not in POSE_SETS:
        message = f"unknown format {format_name!r}; known: {', '.join(POSE_SETS)}"
        raise EvaluationError(message, exit_code=os.EX_USAGE)
    pairs: list[PosePair] = []
    for file in _files(path):
        load: Loader = registry.load(POSE_SETS, format_name or _format_of(file))
        pairs += load(file, images or file.parent)
    if not pairs:
        raise EvaluationError(f"{path}: there is no pair to evaluate", exit_code=os.EX_NOINPUT)
    return pairs


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise EvaluationError(f"{path}: no such file", exit_code=os.EX_NOINPUT)
    if not path.is_dir():
        return [path]
    if not (files := sorted(path.glob("*.npz"))):
        raise EvaluationError(f"{path}: the folder holds no .npz index", exit_code=os.EX_NOINPUT)
    return files


def _format_of(path: Path) -> str:
    if path.suffix == ".npz":
        from .archive import names_in

        return "megadepth" if "pair_infos" in names_in(path) else "scannet"
    return "own" if path.suffix == ".json" else "superglue"
