"""Feature matching, SIFT and ORB: nearest neighbours of descriptors that pass Lowe's ratio test."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatArray, Image, IntArray

from .point_pairs import PointPairs

FEATURES = 4000
RATIO = 0.85
"""Distance to the nearest descriptor over that to the second nearest, up to which a match counts (Lowe's test)."""

KEPT_IMAGES = 16

FEW_SHARE, MIRRORED_TIMES = 0.16, 2.0
"""Of the features of the image that has fewer, those that match: where it is less, the mirror image is tried, and may
be what was taken if so many match there, and so many times as many. What is symmetrical matches its own mirror image,
so well that a motion explains it; seen from both sides it does so too, which is no fault."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Keypoints of one image with their descriptors."""

    points: FloatArray  # (N, 2) px
    descriptors: AnyArray  # (N, D)


class FeatureMatcher:
    """Matcher of keypoints; features of the last few images are kept: pairs of one set share theirs."""

    def __init__(self, name: str, detector: Any, norm: int) -> None:
        self.name = name
        self._detector, self._norm = detector, norm
        self._kept: OrderedDict[bytes, Features] = OrderedDict()

    def match(self, a: Image, b: Image) -> PointPairs:
        """Nearest neighbours that pass the ratio test, each feature of the second image with its best one only."""
        pairs = self._match(a, b)
        features = min(len(self._features(image).points) for image in (a, b))
        if len(pairs) >= FEW_SHARE * features:
            return pairs
        in_mirror = len(self._match(a, np.ascontiguousarray(b[:, ::-1])))
        if in_mirror <= MIRRORED_TIMES * len(pairs) or in_mirror < FEW_SHARE * features:
            return pairs
        seen = f"{len(pairs)} features match, {in_mirror} with the second one turned over"
        return replace(pairs, doubt=f"an image may be mirrored: {seen}")

    def _match(self, a: Image, b: Image) -> PointPairs:
        pairs, partner = self._candidates(a, b)
        best_first = np.argsort(-pairs.certainty, kind="stable")
        _, first = np.unique(partner[best_first], return_index=True)
        return pairs[np.sort(best_first[first])]

    def candidates(self, a: Image, b: Image) -> PointPairs:
        """All that pass the ratio test, as is usual."""
        return self._candidates(a, b)[0]

    def close(self) -> None:
        self._kept.clear()

    def _candidates(self, a: Image, b: Image) -> tuple[PointPairs, IntArray]:
        """The pairs and the number of each one's feature in b; the certainty is 1 minus the ratio."""
        first, second = self._features(a), self._features(b)
        if not len(first.points) or len(second.points) < 2:
            return PointPairs.none(), np.empty(0, np.intp)
        nearest = cv2.BFMatcher(self._norm).knnMatch(first.descriptors, second.descriptors, k=2)
        partner = np.array([near.trainIdx for near, _ in nearest], np.intp)
        ratio = np.array([near.distance / max(next_.distance, 1e-9) for near, next_ in nearest])
        kept = ratio < RATIO
        points_b = second.points[partner[kept]]
        return PointPairs(first.points[kept], points_b, 1 - ratio[kept]), partner[kept]

    def _features(self, image: Image) -> Features:
        key = hashlib.blake2b(image.tobytes(), digest_size=16).digest() + str(image.shape).encode()
        if key not in self._kept:
            self._kept[key] = self._detect(image)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_IMAGES:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _detect(self, image: Image) -> Features:
        keys, descriptors = self._detector.detectAndCompute(image, None)
        if descriptors is None:
            return Features(np.empty((0, 2)), np.empty((0, 1), np.float32))
        # OpenCV may find a point or two more than asked for, and two on one spot.
        return Features(np.array([key.pt for key in keys], np.float64).reshape(-1, 2), np.asarray(descriptors))


class SiftMatcher(FeatureMatcher):
    """OpenCV's SIFT with its defaults."""

    def __init__(self) -> None:
        super().__init__("sift", cv2.SIFT_create(FEATURES), cv2.NORM_L2)  # type: ignore[attr-defined]


class OrbMatcher(FeatureMatcher):
    """OpenCV's ORB with its defaults."""

    def __init__(self) -> None:
        super().__init__("orb", cv2.ORB_create(FEATURES), cv2.NORM_HAMMING)  # type: ignore[attr-defined]
