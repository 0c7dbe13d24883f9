"""Poses: rigid transforms (SE(3)) between two frames."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .arrays import FloatArray


def skew(vector: FloatArray) -> FloatArray:
    """Skew-symmetric (3, 3) matrix of the cross product with ``vector`` (3,)."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def nearest_rotation(matrix: FloatArray) -> FloatArray:
    """The rotation R (3, 3) with the greatest trace of ``R.T @ matrix`` (Kabsch, 1976).

    For ``matrix = targets.T @ sources``, both (N, 3), it rotates the sources nearest to the targets by least squares.
    """
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right)


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Pose: ``x_target = rotation @ x_source + translation_m``; name variables ``target_from_source``.

    Frames are optical: x right, y down, z forward (REP 103).
    """

    rotation: FloatArray  # (3, 3), orthonormal, determinant +1
    translation_m: FloatArray  # (3,)

    @classmethod
    def identity(cls) -> Pose:
        return cls(np.eye(3), np.zeros(3))

    @classmethod
    def from_rotation_vector(cls, rotation_vector: npt.ArrayLike, translation_m: npt.ArrayLike) -> Pose:
        """From an axis-angle vector in radians, shape (3,)."""
        vector = np.asarray(rotation_vector, dtype=np.float64).reshape(3)
        translation = np.asarray(translation_m, dtype=np.float64).reshape(3)
        return cls(np.asarray(cv2.Rodrigues(vector)[0]), translation)

    @classmethod
    def from_quaternion(cls, quaternion: FloatArray, translation_m: npt.ArrayLike) -> Pose:
        """From a unit quaternion (x, y, z, w)."""
        x, y, z, w = quaternion
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        return cls(rotation, np.asarray(translation_m, dtype=np.float64).reshape(3))

    @classmethod
    def from_rounded(cls, rotation: npt.ArrayLike, translation_m: npt.ArrayLike) -> Pose:
        """From a matrix (3, 3) as files have it, rounded to a few digits: the nearest rotation is taken.

        What is no rotation by more than a hundredth is left as it is, for others to complain of.
        """
        given = np.asarray(rotation, dtype=np.float64).reshape(3, 3)
        left, _, right = np.linalg.svd(given) if np.isfinite(given).all() else (given, None, np.eye(3))
        nearest = left @ right
        is_near = np.linalg.det(given) > 0 and np.abs(nearest - given).max() < 0.01
        return cls(nearest if is_near else given, np.asarray(translation_m, dtype=np.float64).reshape(3))

    @property
    def rotation_vector(self) -> FloatArray:
        """Rotation vector: axis times angle in radians, shape (3,); keeps small angles, unlike OpenCV's Rodrigues."""
        quaternion = self.quaternion
        sine = float(np.linalg.norm(quaternion[:3]))
        angle_per_sine = 2 * np.arctan2(sine, quaternion[3]) / sine if sine > 0 else 2.0
        return np.asarray(quaternion[:3] * angle_per_sine)

    @property
    def angle_deg(self) -> float:
        """Angle of the rotation, about whatever axis."""
        return float(np.rad2deg(np.linalg.norm(self.rotation_vector)))

    @property
    def quaternion(self) -> FloatArray:
        """Unit quaternion (x, y, z, w) with w >= 0."""
        rotation, trace = self.rotation, np.trace(self.rotation)
        products = np.empty((4, 4))  # four times the outer product of the quaternion with itself
        products[:3, :3] = rotation + rotation.T + (1 - trace) * np.eye(3)
        products[3, :3] = products[:3, 3] = (rotation - rotation.T)[(2, 0, 1), (1, 2, 0)]
        products[3, 3] = 1 + trace
        row = products[np.argmax(np.diag(products))]
        return np.asarray(row / np.linalg.norm(row) * np.copysign(1.0, row[3]))

    @property
    def matrix(self) -> FloatArray:
        """Homogeneous (4, 4) form."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, self.translation_m
        return matrix

    def inverse(self) -> Pose:
        return Pose(self.rotation.T, -self.rotation.T @ self.translation_m)

    def __matmul__(self, other: Pose) -> Pose:
        """``a_from_b @ b_from_c`` is ``a_from_c``."""
        return Pose(self.rotation @ other.rotation, self.rotation @ other.translation_m + self.translation_m)

    def apply(self, points: npt.ArrayLike) -> FloatArray:
        """Transform points of shape (..., 3) in metres."""
        return np.asarray(np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation_m)
