"""One pair of images whose relative pose is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roma_device.app.evaluate.errors import EvaluationError, unreadable
from roma_device.app.evaluate.stereo.ground_truth import read_grey
from roma_device.calibration.arrays import FloatArray, Image
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.pose import Pose
from roma_device.calibration.size import Size


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
        camera = CameraModel(self.size or size, self.matrix, np.zeros(5))
        return image, camera.fitted_to(size, "K")


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
        where = f"{self.index}: pair {self.id!r}: {key}"
        try:
            return image.load()
        except OSError as error:
            raise unreadable(where, image.path, error) from None
        except (ValueError, CalibrationError) as error:
            raise EvaluationError(f"{where}: {error}") from None


def checked_pose(rotation: npt.ArrayLike, translation: npt.ArrayLike, where: str) -> Pose:
    """The pose, its rotation made exact; raises EvaluationError where it is no pose, or a pure rotation."""
    pose = Pose.from_rounded(rotation, translation)
    matrix, shift = pose.rotation, pose.translation_m
    if not (np.isfinite(matrix).all() and np.isfinite(shift).all()):
        raise EvaluationError(f"{where}: the pose holds a value that is not finite")
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
