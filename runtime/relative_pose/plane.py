"""Scenes that are a plane: two motions explain their images, and robust estimators pick either.

The motions come from the homography (Malis and Vargas, INRIA RR-6303, as OpenCV has it).
"""

from __future__ import annotations

import cv2
import numpy as np

from roma_device.runtime.point_pairs import FloatArray

from .consensus import usac_parameters
from .motion import Motion
from .rays import RayPairs

THRESHOLD_PX = 1.5
PLANAR_SHARE = 0.8
"""Share of the matches on one plane from which on its motions are looked at too."""

SHORTEST_MOTION = 1e-3
"""Translation over the plane's distance below which a homography is a rotation."""


def planar_motions(rays: RayPairs, seed: int) -> list[Motion]:
    """The motions that a dominant plane of ``rays`` (inliers) allows; none where there is no such plane."""
    if len(rays) < 8:
        return []
    a, b = rays.plane_points()
    try:
        homography, mask = cv2.findHomography(a, b, usac_parameters(THRESHOLD_PX, seed))
    except cv2.error:
        return []
    if homography is None or np.asarray(mask).mean() < PLANAR_SHARE:
        return []
    on_plane = rays.chosen(np.asarray(mask).ravel() > 0)
    _, rotations, shifts, normals = cv2.decomposeHomographyMat(np.asarray(homography), rays.plane_matrix)
    found = zip(rotations, shifts, normals, strict=True)
    return [
        Motion(np.asarray(rotation), np.asarray(shift).ravel() / np.linalg.norm(shift))
        for rotation, shift, normal in found
        if np.linalg.norm(shift) > SHORTEST_MOTION and _is_visible(on_plane, np.asarray(normal).ravel())
    ]


def _is_visible(rays: RayPairs, normal: FloatArray) -> bool:
    """Whether the plane lies in front of the first camera where its points were seen."""
    return bool(np.mean(normal @ rays.a > 0) > 0.9)
