"""Protocol of the matchers of image pairs."""

from __future__ import annotations

import os
from typing import Protocol

from roma_device.calibration.arrays import Image
from roma_device.calibration.errors import RomaError
from roma_device.runtime.matching.point_pairs import PointPairs


class MatcherError(RomaError):
    """A matcher that does not exist, or a model that matches something else."""

    exit_code = os.EX_USAGE


class PairMatcher(Protocol):
    """Finds the same points in two images, which may differ in size."""

    @property
    def name(self) -> str: ...

    def match(self, a: Image, b: Image) -> PointPairs:
        """Grey images (H, W) -> points in pixels of each; the same images give the same points."""

    def close(self) -> None:
        """Free what it holds."""
