"""The motion that most matches agree on, and which of its four forms has the scene in front of both cameras."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray

from .motion import Motion
from .rays import RayPairs
from .triangulate import front_score

THRESHOLD_PX = 1.0
CONFIDENCE = 0.999
MOST_ITERATIONS = 2000


def usac_parameters(threshold_px: float, seed: int, iterations: int = MOST_ITERATIONS) -> Any:
    """OpenCV's MAGSAC++ (Barath et al., CVPR 2020), seeded."""
    parameters = cv2.UsacParams()
    parameters.threshold = threshold_px
    parameters.confidence = CONFIDENCE
    parameters.maxIterations = iterations
    parameters.randomGeneratorState = seed
    parameters.score = cv2.SCORE_METHOD_MAGSAC
    parameters.sampler = cv2.SAMPLING_UNIFORM
    parameters.loMethod = cv2.LOCAL_OPTIM_SIGMA
    parameters.loIterations = 5
    parameters.loSampleSize = 20
    parameters.final_polisher = cv2.MAGSAC
    parameters.final_polisher_iterations = 3
    return parameters


def consensus_motion(rays: RayPairs, seed: int, threshold_px: float = THRESHOLD_PX) -> Motion | None:
    """A first motion by MAGSAC; None where it finds none."""
    if len(rays) < 8:
        return None
    a, b = rays.plane_points()
    matrix = rays.plane_matrix
    try:
        essential, mask = cv2.findEssentialMat(
            a, b, matrix, matrix, np.zeros(4), np.zeros(4), usac_parameters(threshold_px, seed)
        )
    except cv2.error:
        return None
    if essential is None or np.shape(essential) != (3, 3) or not np.isfinite(essential).all():
        return None
    chosen = np.asarray(mask).ravel() > 0
    return None if chosen.sum() < 5 else in_front(rays.chosen(chosen), motions_of(np.asarray(essential)))


def motions_of(essential: FloatArray) -> list[Motion]:
    """The four motions that have the essential matrix (3, 3)."""
    first, second, direction = cv2.decomposeEssentialMat(essential)
    unit = np.asarray(direction, np.float64).ravel()
    unit = unit / np.linalg.norm(unit)
    return [Motion(np.asarray(turn), sign * unit) for turn in (first, second) for sign in (1.0, -1.0)]


def in_front(rays: RayPairs, motions: list[Motion]) -> Motion:
    """The motion for which most parallax says that points lie in front of both cameras."""
    return max(motions, key=lambda motion: front_score(rays, motion))
