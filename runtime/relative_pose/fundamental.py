"""Fundamental matrix of two uncalibrated cameras (MAGSAC++): their epipolar geometry, and no pose."""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.runtime.matching.point_pairs import PointPairs

from .finalize import LEAST_INLIERS
from .orientation import HARDLY_KEPT, MIRRORED, TURNED_OVER, kept_orientation
from .planar_scene import PLANAR_SHARE
from .ransac import THRESHOLD_PX, is_by_chance, usac_parameters
from .result import EpipolarGeometry, doubted

SAMPLE = 7
"""Matches that determine a fundamental matrix."""

PLANE_LIMIT_PX = 2.0


def estimate_fundamental(
    pairs: PointPairs, size_b: Size, seed: int = 0, threshold_px: float = THRESHOLD_PX
) -> EpipolarGeometry:
    """The fundamental matrix by MAGSAC; ``size_b``: width and height of the second image in px.

    A scene that is one plane, or a camera that only turned, leaves the matrix undetermined: degraded.
    """
    matches = len(pairs)
    if matches < LEAST_INLIERS:
        return EpipolarGeometry.lost(f"{matches} matches, at least {LEAST_INLIERS} are needed", matches)
    try:
        found, mask = cv2.findFundamentalMat(pairs.a, pairs.b, usac_parameters(threshold_px, seed))
    except cv2.error:
        found, mask = None, None
    if found is None or np.shape(found) != (3, 3) or not np.isfinite(found).all():
        return EpipolarGeometry.lost("the matches agree on no epipolar geometry", matches)
    inliers = np.asarray(mask).ravel() > 0
    count = int(inliers.sum())
    if count < LEAST_INLIERS or is_by_chance(matches, count, threshold_px, size_b, SAMPLE):
        return EpipolarGeometry.lost(f"{count} of {matches} matches agree, as many as would by chance", matches)
    if (kept_share := kept_orientation(pairs.a[inliers].T, pairs.b[inliers].T)) < TURNED_OVER:
        return EpipolarGeometry.lost(MIRRORED, matches)
    fundamental = np.asarray(found) / np.linalg.norm(found)
    if kept_share < HARDLY_KEPT:
        return EpipolarGeometry("degraded", (MIRRORED,), inliers, fundamental)
    if _is_flat(pairs[inliers], seed):
        reason = "the scene is a plane, or the camera only turned: many matrices explain it as well"
        return doubted(EpipolarGeometry("degraded", (reason,), inliers, fundamental), pairs)
    return doubted(EpipolarGeometry("ok", (), inliers, fundamental), pairs)


def _is_flat(pairs: PointPairs, seed: int) -> bool:
    try:
        found, mask = cv2.findHomography(pairs.a, pairs.b, usac_parameters(PLANE_LIMIT_PX, seed))
    except cv2.error:
        return False
    return found is not None and float(np.asarray(mask).mean()) > PLANAR_SHARE
