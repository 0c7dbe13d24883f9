"""Initial values of the bundle adjustment: focal length by trial, board poses by PnP, extrinsics by consensus."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask, Size
from roma_device.calibration.boards.board import Detection
from roma_device.calibration.camera import CameraModel, DistortionModel
from roma_device.calibration.pose import Pose

from .bundle_adjustment import BundleState
from .lens import camera_of, start_intrinsics
from .observations import PairView

FOCAL_PER_WIDTH: dict[DistortionModel, tuple[float, ...]] = {
    "plumb_bob": (0.35, 0.5, 0.65, 0.8, 1.0, 1.3, 1.7, 2.3, 3.2),
    "rational_polynomial": (0.35, 0.5, 0.65, 0.8, 1.0, 1.3, 1.7, 2.3, 3.2),
    "equidistant": (0.22, 0.3, 0.4, 0.52, 0.68, 0.9, 1.3),
}
MOST_TRIED_VIEWS = 12


def focal_by_trial(
    detections: Sequence[Detection], points_m: FloatArray, size: Size, model: DistortionModel
) -> FloatArray:
    """Initial intrinsics (4 + distortion,) under which the board is seen with the least error, distortion left out.

    A closed form from homographies breaks down for lenses that bend lines; trying a few values does not.
    """
    step = max(1, len(detections) // MOST_TRIED_VIEWS)
    tried = detections[::step]

    def error_px(focal_px: float) -> float:
        camera = camera_of(start_intrinsics(size, focal_px, model), size, model)
        errors = [
            view_error_px(camera, detection, points_m, board_pose(camera, detection, points_m)) for detection in tried
        ]
        return float(np.mean(np.minimum(errors, 0.05 * size[0])))

    best = min(FOCAL_PER_WIDTH[model], key=lambda share: error_px(share * size[0]))
    return start_intrinsics(size, best * size[0], model)


def board_pose(camera: CameraModel, detection: Detection, points_m: FloatArray) -> Pose | None:
    """Planar PnP: camera from board, by IPPE's closed form on undistorted corners; None where there is none."""
    rays = camera.unproject(detection.pixels)
    points, flat = points_m[detection.ids], rays[:, :2]
    good = np.isfinite(flat).all(axis=1) & (np.abs(flat) < 20).all(axis=1)
    if good.sum() < 4:
        return None
    try:
        count, rotations, translations, _ = cv2.solvePnPGeneric(
            points[good], flat[good], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
    except cv2.error:
        return None
    poses = [
        Pose.from_rotation_vector(rotation.ravel(), translation.ravel())
        for rotation, translation in zip(rotations[:count], translations[:count], strict=True)
    ]
    in_front = [pose for pose in poses if np.isfinite(pose.matrix).all() and pose.apply(points)[:, 2].min() > 0]
    return min(in_front, key=lambda pose: view_error_px(camera, detection, points_m, pose), default=None)


def view_error_px(camera: CameraModel, detection: Detection, points_m: FloatArray, pose: Pose | None) -> float:
    """Median reprojection error of the corners."""
    if pose is None:
        return float("inf")
    points = pose.apply(points_m[detection.ids])
    if points[:, 2].min() <= 0:
        return float("inf")
    return float(np.median(np.linalg.norm(camera.project(points) - detection.pixels, axis=1)))


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
