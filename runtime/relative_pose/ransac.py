"""RANSAC (MAGSAC++) for the essential matrix, its decomposition by cheirality, and significance of a consensus."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, Size

from .motion import TwoViewMotion
from .rays import RayPairs
from .triangulate import cheirality_score

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


def consensus_motion(rays: RayPairs, seed: int, threshold_px: float = THRESHOLD_PX) -> TwoViewMotion | None:
    """The motion of the essential matrix that MAGSAC++ finds; None where it finds none."""
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
    return None if chosen.sum() < 5 else best_by_cheirality(rays.chosen(chosen), motions_of(np.asarray(essential)))


def plain_motion(rays: RayPairs) -> TwoViewMotion | None:
    """What everybody gets from OpenCV: MAGSAC with its defaults at THRESHOLD_PX, and the motion by cheirality."""
    a, b = rays.plane_points()
    matrix = rays.plane_matrix
    try:
        essential, mask = cv2.findEssentialMat(
            a, b, matrix, method=cv2.USAC_MAGSAC, prob=CONFIDENCE, threshold=THRESHOLD_PX
        )
    except cv2.error:
        return None
    if essential is None or np.shape(essential) != (3, 3) or not np.isfinite(essential).all():
        return None
    _, rotation, direction, _ = cv2.recoverPose(essential, a, b, matrix, mask=mask)
    return TwoViewMotion(np.asarray(rotation), np.asarray(direction, np.float64).ravel())


def motions_of(essential: FloatArray) -> list[TwoViewMotion]:
    """Decomposition of an essential matrix (3, 3): the four motions that have it."""
    first, second, direction = cv2.decomposeEssentialMat(essential)
    unit = np.asarray(direction, np.float64).ravel()
    unit = unit / np.linalg.norm(unit)
    return [TwoViewMotion(np.asarray(rotation), sign * unit) for rotation in (first, second) for sign in (1.0, -1.0)]


def best_by_cheirality(rays: RayPairs, motions: list[TwoViewMotion]) -> TwoViewMotion:
    """Cheirality: the motion for which most parallax says that points lie in front of both cameras."""
    return max(motions, key=lambda motion: cheirality_score(rays, motion))


LOG10_LIMIT = -6.0


def log10_false_alarms(matches: int, inliers: float, distance_px: float, size: Size, sample: int) -> float:
    """log10 of the number of false alarms of a consensus: how many models as good chance would give.

    ``inliers`` of ``matches`` lie within ``distance_px`` (Sampson) of a model that ``sample`` matches determine.
    ``size``: width and height of the image in px. A match at random lies so near an epipolar line with at most the
    share of the image that a band about its diagonal takes.
    """
    if inliers <= sample:
        return math.inf
    diagonal, area = math.hypot(*size), size[0] * size[1]
    chance = min(1.0, 2 * math.sqrt(2) * distance_px * diagonal / area)
    subsets = _log10_choose(matches, inliers) + _log10_choose(inliers, sample)
    return math.log10(10 * matches) + subsets + (inliers - sample) * math.log10(chance)


def is_by_chance(matches: int, inliers: float, distance_px: float, size: Size, sample: int = 5) -> bool:
    """Whether the consensus is not significant: so many inliers mean nothing."""
    return log10_false_alarms(matches, inliers, distance_px, size, sample) > LOG10_LIMIT


def _log10_choose(n: float, k: float) -> float:
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(10)
