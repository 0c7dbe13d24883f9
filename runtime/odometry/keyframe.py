"""Keyframe: the image, points with depth and pose that later frames are related to, and ORB relocalization on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Image, IntArray
from roma_device.calibration.pose import Pose
from roma_device.calibration.rectify import RectifiedRig

from .corner_grid import balanced_corners
from .sparse_stereo import SeenPoints, project, sample_disparity, search_rows, triangulate

SMOOTHING_PX = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class RectifiedPair:
    """Rectified stereo pair, both images smoothed (``smoothed``)."""

    left: Image  # (H, W) grey
    right: Image
    timestamp_ns: int
    dense_px: FloatImage | None  # (H, W) disparity from elsewhere, NaN where unknown


def smoothed(image: Image) -> Image:
    """A grey image (H, W) without the finest detail, whose noise draws interpolated patches to half pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), SMOOTHING_PX), np.uint8)


MOST_DISPARITY_SHARE = 0.3
"""Of the image's width: points nearer than that are left out."""

FAR_HAMMING = 64
"""Bits of 256 in which two descriptors of the same place may differ."""


@dataclass(slots=True, eq=False)
class Keyframe:
    """Keyframe of stereo visual odometry; poses are those of left optical frames."""

    image: Image  # (H, W) grey, rectified left
    pixels: FloatArray  # (N, 2) px
    disparity_px: FloatArray  # (N,) finite
    odom_from_key: Pose
    covariance: FloatArray  # (6, 6) of odom_from_key
    moving_share: float = 0.0  # of the points that were found, those left out since they move by themselves
    _descriptors: Image | None = field(default=None)

    def __len__(self) -> int:
        return len(self.pixels)

    def predicted(self, current_from_key: Pose, rig: RectifiedRig) -> FloatArray:
        """Reprojection (N, 3) u, v, d px of the points after a motion; NaN behind the camera."""
        return project(current_from_key.apply(triangulate(self.pixels, self.disparity_px, rig)), rig)

    def without(self, moving: FloatArray, still: FloatArray) -> Keyframe:
        """Only the points that are nearer to one of ``still`` (K, 2) px than to any of ``moving`` (L, 2) px."""
        kept = _nearest_px(self.pixels, still) <= _nearest_px(self.pixels, moving)
        share = 1 - float(kept.mean()) if len(kept) else 0.0
        return replace(self, pixels=self.pixels[kept], disparity_px=self.disparity_px[kept], moving_share=share)

    def recognized(self, left: Image, corners: FloatArray) -> tuple[IntArray, FloatArray]:
        """Relocalization: which points are seen again among ``corners`` (M, 2) px of another image, and where (K, 2).

        By ORB descriptors that are each other's nearest (Rublee et al., ICCV 2011), upright.
        """
        if self._descriptors is None:
            self._descriptors = _orb_descriptors(self.image, self.pixels)
        descriptors = _orb_descriptors(left, corners)
        if not len(self._descriptors) or not len(descriptors):
            return np.zeros(0, np.intp), np.empty((0, 2))
        pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(self._descriptors, descriptors)
        near = [pair for pair in pairs if pair.distance < FAR_HAMMING]
        which = np.array([pair.queryIdx for pair in near], np.intp)
        return which, corners[[pair.trainIdx for pair in near]].reshape(-1, 2)


def make_keyframe(pair: RectifiedPair, most_points: int, place: tuple[Pose, FloatArray]) -> Keyframe:
    """Make a keyframe of a pair and its pose with covariance; disparities are the pair's own, else searched by rows."""
    pixels = balanced_corners(pair.left, most_points)
    if pair.dense_px is None:
        disparity_px = search_rows(pair.left, pair.right, pixels, round(MOST_DISPARITY_SHARE * pair.left.shape[1]))
    else:
        disparity_px = sample_disparity(pair.dense_px, pixels)
    known = np.isfinite(disparity_px)
    return Keyframe(pair.left, pixels[known], disparity_px[known], *place)


def _nearest_px(points: FloatArray, others: FloatArray) -> FloatArray:
    """(N,) distance of points (N, 2) to the nearest of the others (M, 2), infinite where there is none."""
    apart = np.linalg.norm(points[:, None] - others[None], axis=2)
    return np.asarray(apart.min(axis=1, initial=np.inf))


def _orb_descriptors(image: Image, pixels: FloatArray) -> Image:
    """ORB descriptor (N, 32) of every pixel (N, 2); zeros where it is too near to the border."""
    descriptors = np.zeros((len(pixels), 32), np.uint8)
    orb: Any = cv2.ORB_create(edgeThreshold=0, nlevels=1)  # type: ignore[attr-defined]
    keys = [cv2.KeyPoint(float(x), float(y), 31.0, 0.0, 0.0, 0, index) for index, (x, y) in enumerate(pixels)]
    kept, found = orb.compute(image, keys)
    if found is not None:
        descriptors[[key.class_id for key in kept]] = found
    return descriptors


def seen_points(key: Keyframe, which: IntArray, places: FloatArray, disparity_px: FloatArray) -> SeenPoints:
    """Points ``which`` (K,) of a keyframe with where they are now: (K, 2) and (K,) px, NaN where not known."""
    return SeenPoints(key.pixels[which], key.disparity_px[which], np.column_stack([places, disparity_px]))
