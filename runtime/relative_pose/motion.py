"""Two-view motion up to scale: rotation and unit translation, 5 degrees of freedom, with its tangent space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose, skew

ROTATION_GENERATORS = np.stack([skew(axis) for axis in np.eye(3)])
"""(3, 3, 3) generators of so(3), the cross products with the axes: the derivatives of ``skew``."""


def tangents(direction: FloatArray) -> FloatArray:
    """(3, 2) orthonormal basis of the tangent plane of the unit sphere at a unit ``direction``.

    The first leans towards the axis that is farthest from the direction.
    """
    number = int(np.abs(direction).argmin())
    first = -direction[number] * direction
    first[number] += 1.0
    first /= math.sqrt(first @ first)
    basis = np.empty((3, 2))
    basis[:, 0], basis[:, 1] = first, skew(direction) @ first
    return basis


@dataclass(frozen=True, slots=True, eq=False)
class TwoViewMotion:
    """Relative pose up to scale: ``x_b = rotation @ x_a + s direction`` with a scale ``s > 0`` that is not known."""

    rotation: FloatArray  # (3, 3) b_from_a
    direction: FloatArray  # (3,) unit, from b's origin to a's, in b's axes

    @property
    def essential(self) -> FloatArray:
        """Essential matrix (3, 3): E with ``ray_b @ E @ ray_a == 0``."""
        return skew(self.direction) @ self.rotation

    def essential_jacobian(self) -> FloatArray:
        """Jacobian (5, 3, 3) of ``essential`` by the five numbers of ``moved``."""
        jacobian = np.empty((5, 3, 3))
        jacobian[:3] = skew(self.direction) @ ROTATION_GENERATORS @ self.rotation
        jacobian[3:] = np.tensordot(tangents(self.direction).T, ROTATION_GENERATORS, 1) @ self.rotation
        return jacobian

    def moved(self, step: FloatArray) -> TwoViewMotion:
        """Turned by ``step[:3]`` (rad, about b's axes), the direction by ``step[3:]`` (rad, along ``tangents``)."""
        rotation = np.asarray(cv2.Rodrigues(np.ascontiguousarray(step[:3]))[0])
        side = tangents(self.direction) @ step[3:]
        angle = float(np.linalg.norm(side))
        direction = self.direction * np.cos(angle) + side * np.sinc(angle / np.pi)
        return TwoViewMotion(rotation @ self.rotation, direction / np.linalg.norm(direction))

    def difference(self, other: TwoViewMotion) -> FloatArray:
        """(5,) the step by which ``moved`` leads to ``other``."""
        rotation = Pose(other.rotation @ self.rotation.T, np.zeros(3)).rotation_vector
        side = tangents(self.direction).T @ other.direction
        sine = float(np.linalg.norm(side))
        angle = float(np.arctan2(sine, self.direction @ other.direction))
        if sine == 0:  # the same direction, or the opposite one, which lies half a turn away on every way
            return np.array([*rotation, angle, 0.0])
        return np.concatenate([rotation, side * (angle / sine)])

    def angles_deg(self, other: TwoViewMotion) -> tuple[float, float]:
        """How far apart two motions are: angle of the rotation between them, angle between their directions."""
        step = np.rad2deg(self.difference(other))
        return float(np.linalg.norm(step[:3])), float(np.linalg.norm(step[3:]))
