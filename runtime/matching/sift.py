"""SIFT features (Lowe, IJCV 2004)."""

from __future__ import annotations

import cv2

from .features import FEATURES, FeatureMatcher


class SiftMatcher(FeatureMatcher):
    """OpenCV's SIFT with its defaults."""

    def __init__(self) -> None:
        super().__init__("sift", cv2.SIFT_create(FEATURES), cv2.NORM_L2)  # type: ignore[attr-defined]
