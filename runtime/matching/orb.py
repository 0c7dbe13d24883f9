"""ORB features (Rublee et al., ICCV 2011): coarser than SIFT, and many times cheaper."""

from __future__ import annotations

import cv2

from .features import FEATURES, FeatureMatcher


class OrbMatcher(FeatureMatcher):
    """OpenCV's ORB with its defaults."""

    def __init__(self) -> None:
        super().__init__("orb", cv2.ORB_create(FEATURES), cv2.NORM_HAMMING)  # type: ignore[attr-defined]
