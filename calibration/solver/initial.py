"""Initial values of the bundle adjustment: a focal length by trial, and board poses by planar PnP (IPPE)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.boards.board import Detection
from roma_device.calibration.camera import CameraModel, DistortionModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.size import Size

from .lens import camera_of, start_intrinsics

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
