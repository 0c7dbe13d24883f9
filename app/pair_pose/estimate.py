"""Relative pose of two images from point pairs, with known or unknown intrinsics."""

from __future__ import annotations

from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.size import Size
from roma_device.runtime.matching.point_pairs import PointPairs
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose
from roma_device.runtime.relative_pose.fundamental import estimate_fundamental
from roma_device.runtime.relative_pose.result import EpipolarGeometry, RelativePose

from .intrinsics import PairCameras

SAME_IMAGE = "both images are the same: there is no motion to see"


def estimate_pair(
    a: GreyImage, b: GreyImage, pairs: PointPairs, cameras: PairCameras | None
) -> RelativePose | EpipolarGeometry:
    """From the ``pairs`` of two images; without ``cameras`` the epipolar geometry alone."""
    same = a.shape == b.shape and bool((a == b).all())
    if cameras is None:
        return EpipolarGeometry.lost(SAME_IMAGE, len(pairs)) if same else estimate_fundamental(pairs, Size.of(b))
    return RelativePose.lost(SAME_IMAGE, len(pairs)) if same else estimate_relative_pose(pairs, cameras.a, cameras.b)
