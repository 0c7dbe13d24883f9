"""Stereo extrinsics (right from left): by consensus of the views, as the start of the bundle adjustment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask
from roma_device.calibration.camera import CameraModel, DistortionModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.size import Size

from .bundle_adjustment import BundleState
from .initial import board_pose, view_error_px
from .lens import camera_of
from .observations import PairView

AGREES_SHARE = 0.008
"""A view agrees with a pose of the pair when its right corners lie within this share of the image width."""

Poses = list[Pose | None]


def poses_in(camera: CameraModel, views: Sequence[PairView], side: int, points_m: FloatArray) -> Poses:
    """Board pose in each view as one camera alone sees it."""
    return [board_pose(camera, view.sides()[side], points_m) for view in views]


def consensus_pose(
    cameras: tuple[CameraModel, CameraModel], views: Sequence[PairView], points_m: FloatArray
) -> tuple[Pose | None, Mask, Poses]:
    """Consensus right-from-left pose of the views, which of them (V,) agree, and the left camera's board poses.

    Every view proposes the pose that it implies by itself, and all the others vote: a board that was moved
    between the two images, or corners in a wrong order, cannot pull the result.
    """
    left, right = (poses_in(camera, views, side, points_m) for side, camera in enumerate(cameras))
    best_pose, best_errors = None, np.full(len(views), np.inf)
    limit_px = AGREES_SHARE * cameras[0].size[0]
    for own_left, own_right in zip(left, right, strict=True):
        if own_left is None or own_right is None:
            continue
        pose = own_right @ own_left.inverse()
        errors = _errors_px(pose, left, cameras[1], views, points_m)
        if np.minimum(errors, limit_px).sum() < np.minimum(best_errors, limit_px).sum():
            best_pose, best_errors = pose, errors
    return best_pose, best_errors < limit_px, left


def _errors_px(
    pose: Pose, left: Poses, camera: CameraModel, views: Sequence[PairView], points_m: FloatArray
) -> FloatArray:
    return np.array(
        [
            np.inf if own is None else view_error_px(camera, view.right, points_m, pose @ own)
            for own, view in zip(left, views, strict=True)
        ]
    )


def stereo_state(
    intrinsics: tuple[FloatArray, FloatArray], right_from_left: Pose, left_from_board: Sequence[Pose]
) -> BundleState:
    """Initial state of the stereo bundle adjustment, from the views that have a pose."""
    return BundleState(
        intrinsics,
        (right_from_left,),
        np.stack([pose.rotation for pose in left_from_board]),
        np.stack([pose.translation_m for pose in left_from_board]),
    )


def cameras_of(
    intrinsics: tuple[FloatArray, ...], size: Size, model: DistortionModel
) -> tuple[CameraModel, CameraModel]:
    """Both cameras of a state."""
    left, right = (camera_of(vector, size, model) for vector in intrinsics)
    return left, right
