"""Sparse stereo: disparity of points along their row, triangulation and projection: from pixels to metres and back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Image, Mask
from roma_device.calibration.lucas_kanade import follow_there_and_back
from roma_device.calibration.rectify import RectifiedRig

HALF_PATCH = 5
PATCH_PX = 2 * HALF_PATCH + 1
"""Side of the patches, for trackers too: small, as a patch across an edge of depth follows neither side, which neither
noise nor covariance knows of; and the same, so that its motion and its depth are of the same mixture."""

LEAST_SCORE = 0.8
"""Normalized cross-correlation below which two patches are not the same thing."""

UNIQUE = 0.97
"""What looks like its partner at another place of the row too, this share as well, is ambiguous."""

ROWS_APART_PX = 1.0
"""How far a partner may lie from its row: more is a wrong match, or a rig that needs calibration."""

LEAST_DISPARITY_PX = 0.4
"""Nearer to zero the depth is anything up to infinity."""


def search_rows(left: Image, right: Image, points: FloatArray, most_px: int) -> FloatArray:
    """Disparity (N,) px of ``points`` (N, 2) px of a rectified grey pair (H, W); NaN where there is none for sure.

    Patches are compared over 0 to ``most_px`` by normalized cross-correlation; a second place that fits as well
    makes a point ambiguous.
    """
    columns = np.round(points).astype(int)
    coarse = np.array([_search_row(left, right, x, y, most_px) for x, y in columns], np.float64)
    return refine_disparity(left, right, points, coarse)


def _search_row(left: Image, right: Image, x: int, y: int, most_px: int) -> float:
    height, width = left.shape
    half = HALF_PATCH
    if not (half <= x < width - half and half <= y < height - half):
        return np.nan
    start = max(x - most_px - half, 0)
    patch = left[y - half : y + half + 1, x - half : x + half + 1]
    strip = right[y - half : y + half + 1, start : x + half + 1]
    scores = cv2.matchTemplate(strip, patch, cv2.TM_CCOEFF_NORMED)[0]
    best = int(scores.argmax())
    if not scores[best] >= LEAST_SCORE:
        return np.nan
    others = np.concatenate([scores[: max(best - 2, 0)], scores[best + 3 :]])
    if len(others) and others.max() > UNIQUE * scores[best]:
        return np.nan
    return float(x - (start + best + half))


def refine_disparity(left: Image, right: Image, points: FloatArray, guess_px: FloatArray) -> FloatArray:
    """Disparity (N,) px to a fraction of a pixel, from a guess (N,) that is off by a few; NaN where it fails."""
    disparity_px = np.full(len(points), np.nan)
    known = np.flatnonzero(np.isfinite(guess_px))
    start = points[known]
    guess = start - np.column_stack([guess_px[known], np.zeros(len(known))])
    there, good = follow_there_and_back(left, right, start, guess, levels=1, window_px=PATCH_PX)
    moved = start - there
    good &= (np.abs(moved[:, 1]) < ROWS_APART_PX) & (moved[:, 0] > LEAST_DISPARITY_PX)
    disparity_px[known[good]] = moved[good, 0]
    return disparity_px


def sample_disparity(disparity_px: FloatImage, points: FloatArray) -> FloatArray:
    """Dense disparity (H, W), NaN where unknown, at ``points`` (N, 2) px; NaN where four pixels differ by 1 px."""
    height, width = disparity_px.shape
    x = np.clip(np.floor(points[:, 0]).astype(int), 0, width - 2)
    y = np.clip(np.floor(points[:, 1]).astype(int), 0, height - 2)
    corners = np.stack([disparity_px[y + b, x + a] for b in (0, 1) for a in (0, 1)]).astype(np.float64)
    u, v = points[:, 0] - x, points[:, 1] - y
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])
    values = (weights * corners).sum(axis=0)
    flat = corners.max(axis=0) - corners.min(axis=0) < 1.0
    return np.asarray(np.where(flat & (values > LEAST_DISPARITY_PX), values, np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class SeenPoints:
    """Correspondences: points of a first stereo pair and where they are in a second one."""

    pixels: FloatArray  # (N, 2) px, first left image
    disparity_px: FloatArray  # (N,) first pair; finite
    seen: FloatArray  # (N, 3) u, v, d px of the second pair; d is NaN where unknown

    def __len__(self) -> int:
        return len(self.pixels)

    def of(self, chosen: Mask) -> SeenPoints:
        return SeenPoints(self.pixels[chosen], self.disparity_px[chosen], self.seen[chosen])


def triangulate(pixels: FloatArray, disparity_px: FloatArray, rig: RectifiedRig) -> FloatArray:
    """Triangulated points (N, 3) in metres, left optical frame, of pixels (N, 2) with disparities (N,)."""
    assert rig.focal_px is not None and rig.baseline_m is not None
    depth_m = rig.focal_px * rig.baseline_m / (disparity_px + rig.disparity_offset_px)
    rays = (pixels - np.array([rig.cx, rig.cy])) / rig.focal_px
    return np.column_stack([rays * depth_m[:, None], depth_m])


def project(points_m: FloatArray, rig: RectifiedRig) -> FloatArray:
    """Stereo projection: (..., 3) left optical frame -> (..., 3) u, v, d in px; NaN behind the camera."""
    assert rig.focal_px is not None and rig.baseline_m is not None
    z = np.where(points_m[..., 2] > 1e-3, points_m[..., 2], np.nan)
    u = rig.focal_px * points_m[..., 0] / z + rig.cx
    v = rig.focal_px * points_m[..., 1] / z + rig.cy
    return np.stack([u, v, rig.focal_px * rig.baseline_m / z - rig.disparity_offset_px], axis=-1)
