"""Bundle adjustment of one camera or a pair: intrinsics, stereo extrinsics and the board's pose in each view.

Levenberg-Marquardt on the reprojection errors, by dense normal equations: 60 views have fewer than 400 unknowns.
Rotations move by small rotation vectors on their left. A robust loss (Cauchy's) keeps false corners from pulling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray, Mask
from roma_device.calibration.camera import DistortionModel
from roma_device.calibration.pose import Pose

from .lens import PINHOLE, Projected, project
from .observations import Corners

MOST_STEPS = 60
LEAST_GAIN = 1e-9
"""Sum of squares in px: what gains less than this is not worth a step, as on corners without any noise."""

LEAST_DEPTH_M = 1e-6
BEHIND_PX = 100.0
"""Error of a corner behind the camera under a robust loss: more than any true one has, with a zero Jacobian. Lenses
that see beyond 90 degrees show such corners; they must not keep the rest from moving."""

RATIONAL_PRIOR = 2.0
"""The six radial terms of the rational model hardly differ from each other: a wide prior (their sigma) holds them."""


@dataclass(frozen=True, slots=True, eq=False)
class BundleState:
    """Unknowns of the bundle adjustment; a second camera is there or not."""

    intrinsics: tuple[FloatArray, ...]  # per camera (4 + distortion,)
    from_first: tuple[Pose, ...]  # camera from first camera, for all but the first
    rotations: FloatArray  # (V, 3, 3) first camera from board
    translations_m: FloatArray  # (V, 3)

    def of_views(self, chosen: IntArray | Mask) -> BundleState:
        """The same cameras with a part of the views."""
        return replace(self, rotations=self.rotations[chosen], translations_m=self.translations_m[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Linearized:
    """Reprojection residuals and Gauss-Newton normal equations at one state."""

    residuals: tuple[FloatArray, ...]  # per camera (N, 2) px: projected minus seen
    hessian: FloatArray  # (P, P) J^T W J
    gradient: FloatArray  # (P,) J^T W r
    cost: float
    view_gradients: FloatArray  # (V, P) the share of each view in the gradient


@dataclass(frozen=True, slots=True, eq=False)
class BundleAdjustment:
    """Bundle adjustment problem: corners that were seen, distortion model, robust loss (Cauchy) and prior."""

    model: DistortionModel
    corners: tuple[Corners, ...]  # per camera
    loss_px: float | None = None  # scale of Cauchy's loss; None: plain squares
    has_prior: bool = True  # of the rational model

    def solve(self, state: BundleState) -> BundleState:
        """Minimize by Levenberg-Marquardt: the state of least cost near ``state``."""
        damping, best = 1e-4, self.linearize(state)
        for _ in range(MOST_STEPS):
            step = _damped_step(best, damping)
            moved = moved_by(state, step)
            trial = self.linearize(moved) if self._in_front(moved) else None
            if trial is None or not trial.cost < best.cost:
                damping *= 8
                if damping > 1e9:
                    break
                continue
            gain, state, best = best.cost - trial.cost, moved, trial
            damping = max(damping / 5, 1e-12)
            if gain < 1e-9 * best.cost + LEAST_GAIN:
                break
        return state

    def _in_front(self, state: BundleState) -> bool:
        """No lens turned inside out, no corner behind a camera unless the loss is robust."""
        if any(min(vector[:2]) <= 1 or not np.isfinite(vector).all() for vector in state.intrinsics):
            return False
        return self.loss_px is not None or all(
            bool((points_in_camera(state, camera, corners)[:, 2] > LEAST_DEPTH_M).all())
            for camera, corners in enumerate(self.corners)
        )

    def residuals(self, state: BundleState) -> tuple[FloatArray, ...]:
        """Reprojection residuals per camera (N, 2) px."""
        return tuple(
            _difference(self._project(state, camera, points_in_camera(state, camera, corners)), corners)
            for camera, corners in enumerate(self.corners)
        )

    def _project(self, state: BundleState, camera: int, points_m: FloatArray) -> Projected:
        """Points (N, 3) in the camera's frame; those behind it are NaN, and do not change."""
        behind = points_m[:, 2] <= LEAST_DEPTH_M
        if not behind.any():
            return project(self.model, state.intrinsics[camera], points_m)
        projected = project(self.model, state.intrinsics[camera], np.where(behind[:, None], [0.0, 0.0, 1.0], points_m))
        projected.pixels[behind] = np.nan
        return Projected(projected.pixels, *(np.where(behind[:, None, None], 0, by) for by in projected[1:]))

    def linearize(self, state: BundleState) -> Linearized:
        """Residuals, J^T W J and J^T W r at ``state``."""
        counts = [len(vector) for vector in state.intrinsics]
        shared = sum(counts) + 6 * len(state.from_first)
        size, views = shared + 6 * len(state.rotations), len(state.rotations)
        hessian, by_view = np.zeros((size, size)), np.zeros((views, size))
        cost, residuals = 0.0, []
        for camera in range(len(self.corners)):
            residual, jacobian, columns = self._camera_block(state, camera)
            weights, camera_cost = self._weights(residual)
            cost += camera_cost
            residuals.append(residual)
            _accumulate(hessian, by_view, self.corners[camera].view, jacobian, residual, weights, columns, shared)
        cost += self._add_prior(state, hessian, by_view)
        return Linearized(tuple(residuals), hessian, by_view.sum(axis=0), cost, by_view)

    def _camera_block(self, state: BundleState, camera: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """Residuals (N, 2), Jacobian (N, 2, K + 6) and the columns (K,) of the shared unknowns; the view's are last."""
        corners = self.corners[camera]
        counts = [len(vector) for vector in state.intrinsics]
        start = sum(counts[:camera])
        columns = np.arange(start, start + counts[camera])
        board_rotated = np.einsum("nij,nj->ni", state.rotations[corners.view], corners.points_m)
        first = board_rotated + state.translations_m[corners.view]
        if camera == 0:
            projected = self._project(state, 0, first)
            by_first, parts = projected.by_point, [projected.by_intrinsics]
        else:
            pose = state.from_first[camera - 1]
            rotated = first @ pose.rotation.T
            projected = self._project(state, camera, rotated + pose.translation_m)
            by_first = projected.by_point @ pose.rotation
            parts = [projected.by_intrinsics, _by_rotation(projected.by_point, rotated), projected.by_point]
            columns = np.concatenate([columns, sum(counts) + 6 * (camera - 1) + np.arange(6)])
        jacobian = np.concatenate([*parts, _by_rotation(by_first, board_rotated), by_first], axis=2)
        return _difference(projected, corners), jacobian, columns

    def _weights(self, residual: FloatArray) -> tuple[FloatArray, float]:
        """Weights (N,) of the corners under the robust loss, and the cost."""
        squared = (residual**2).sum(axis=1)
        if self.loss_px is None:
            return np.ones(len(squared)), float(squared.sum())
        scaled = squared / self.loss_px**2
        return 1 / (1 + scaled), float(self.loss_px**2 * np.log1p(scaled).sum())

    def _add_prior(self, state: BundleState, hessian: FloatArray, by_view: FloatArray) -> float:
        if self.model != "rational_polynomial" or not self.has_prior:
            return 0.0
        cost, start = 0.0, 0
        for vector in state.intrinsics:
            for index in (0, 1, 4, 5, 6, 7):  # k1 k2 (p1 p2) k3 k4 k5 k6
                column = start + PINHOLE + index
                hessian[column, column] += RATIONAL_PRIOR**-2
                by_view[:, column] += vector[PINHOLE + index] * RATIONAL_PRIOR**-2 / len(by_view)
                cost += float(vector[PINHOLE + index] / RATIONAL_PRIOR) ** 2
            start += len(vector)
        return cost


def _difference(projected: Projected, corners: Corners) -> FloatArray:
    """Reprojection residuals (N, 2) px."""
    return np.nan_to_num(projected.pixels - corners.pixels, copy=False, nan=BEHIND_PX)


def points_in_camera(state: BundleState, camera: int, corners: Corners) -> FloatArray:
    """Corners (N, 3) in the frame of one camera."""
    first = np.einsum("nij,nj->ni", state.rotations[corners.view], corners.points_m)
    first = first + state.translations_m[corners.view]
    return first if camera == 0 else state.from_first[camera - 1].apply(first)


def moved_by(state: BundleState, step: FloatArray) -> BundleState:
    """The state after a step (P,) in the order of the normal equations."""
    intrinsics, at = [], 0
    for vector in state.intrinsics:
        intrinsics.append(vector + step[at : at + len(vector)])
        at += len(vector)
    poses = []
    for pose in state.from_first:
        poses.append(Pose(_rotation(step[at : at + 3]) @ pose.rotation, pose.translation_m + step[at + 3 : at + 6]))
        at += 6
    by_view = step[at:].reshape(-1, 6)
    deltas = np.stack([_rotation(vector) for vector in by_view[:, :3]]) if len(by_view) else np.empty((0, 3, 3))
    return BundleState(tuple(intrinsics), tuple(poses), deltas @ state.rotations, state.translations_m + by_view[:, 3:])


def _rotation(vector: FloatArray) -> FloatArray:
    return np.asarray(cv2.Rodrigues(np.ascontiguousarray(vector))[0], np.float64)


def _by_rotation(by_point: FloatArray, points: FloatArray) -> FloatArray:
    """Jacobian (N, 2, 3) for a small rotation that moves points (N, 3) by its cross product with them."""
    return np.cross(points[:, None, :], by_point)


def _accumulate(
    hessian: FloatArray,
    by_view: FloatArray,
    view: IntArray,
    jacobian: FloatArray,
    residual: FloatArray,
    weights: FloatArray,
    columns: IntArray,
    shared: int,
) -> None:
    """Add one camera's corners, which are sorted by view, to the normal equations."""
    edges = np.searchsorted(view, np.arange(len(by_view) + 1))
    for number, (start, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        if start == end:
            continue
        rows = jacobian[start:end].reshape(-1, jacobian.shape[2])
        weighted = rows * np.repeat(weights[start:end], 2)[:, None]
        places = np.concatenate([columns, shared + 6 * number + np.arange(6)])
        hessian[np.ix_(places, places)] += weighted.T @ rows
        by_view[number, places] += weighted.T @ residual[start:end].ravel()


def _damped_step(at: Linearized, damping: float) -> FloatArray:
    diagonal = np.diag(at.hessian)
    damped = at.hessian + np.diag(damping * np.maximum(diagonal, 1e-12 * diagonal.max()))
    try:
        return np.asarray(np.linalg.solve(damped, -at.gradient))
    except np.linalg.LinAlgError:
        return np.zeros(len(at.gradient))
