"""Rotation and direction: the five numbers that two images tell of a motion, and small changes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.pose import Pose, skew

TURNS = np.stack([skew(axis) for axis in np.eye(3)])
"""(3, 3, 3) matrices of the cross products with the axes: the derivatives of ``skew``."""


def tangents(direction: FloatArray) -> FloatArray:
    """(3, 2) two unit vectors at right angles to a unit ``direction`` and to each other.

    The first leans towards the axis that is farthest from the direction.
    """
    number = int(np.abs(direction).argmin())
    first = -direction[number] * direction
    first[number] += 1.0
    first /= math.sqrt(first @ first)
    both = np.empty((3, 2))
    both[:, 0], both[:, 1] = first, skew(direction) @ first
    return both


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """``x_b = rotation @ x_a + s direction`` with a length ``s > 0`` that images alone do not tell."""

    rotation: FloatArray  # (3, 3) b_from_a
    direction: FloatArray  # (3,) unit, from b's origin to a's, in b's axes

    @property
    def essential(self) -> FloatArray:
        """(3, 3) E with ``ray_b @ E @ ray_a == 0``."""
        return skew(self.direction) @ self.rotation

    def essential_slopes(self) -> FloatArray:
        """(5, 3, 3) derivative of ``essential`` by the five numbers of ``moved``."""
        slopes = np.empty((5, 3, 3))
        slopes[:3] = skew(self.direction) @ TURNS @ self.rotation
        slopes[3:] = np.tensordot(tangents(self.direction).T, TURNS, 1) @ self.rotation
        return slopes

    def moved(self, step: FloatArray) -> Motion:
        """Turned by ``step[:3]`` (rad, about b's axes), the direction by ``step[3:]`` (rad, along ``tangents``)."""
        turn = np.asarray(cv2.Rodrigues(np.ascontiguousarray(step[:3]))[0])
        side = tangents(self.direction) @ step[3:]
        angle = float(np.linalg.norm(side))
        direction = self.direction * np.cos(angle) + side * np.sinc(angle / np.pi)
        return Motion(turn @ self.rotation, direction / np.linalg.norm(direction))

    def difference(self, other: Motion) -> FloatArray:
        """(5,) the step by which ``moved`` leads to ``other``."""
        turn = Pose(other.rotation @ self.rotation.T, np.zeros(3)).rotation_vector
        side = tangents(self.direction).T @ other.direction
        sine = float(np.linalg.norm(side))
        angle = float(np.arctan2(sine, self.direction @ other.direction))
        if sine == 0:  # the same direction, or the opposite one, which lies half a turn away on every way
            return np.array([*turn, angle, 0.0])
        return np.concatenate([turn, side * (angle / sine)])

    def angles_deg(self, other: Motion) -> tuple[float, float]:
        """How far apart two motions are: angle of the rotation between them, angle between their directions."""
        step = np.rad2deg(self.difference(other))
        return float(np.linalg.norm(step[:3])), float(np.linalg.norm(step[3:]))
