"""Epipolar residuals (row differences after rectification) and scale errors of pairs, by cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray
from roma_device.calibration.boards.board import Board
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.bundle_adjustment import BundleAdjustment
from roma_device.calibration.solver.observations import PairView
from roma_device.calibration.solver.solve import StereoSolution

FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class PairErrors:
    """Epipolar residuals and scale of one pair after rectification."""

    name: str
    left: FloatArray  # (N, 2) rectified px
    vertical_px: FloatArray  # (N,) left row minus right row
    scale: float  # size of the board as triangulated, over its true size


def calibration_of(solution: StereoSolution) -> StereoCalibration:
    """The bare rig; raises CalibrationError where it is none, such as with swapped cameras."""
    left, right = solution.cameras
    return StereoCalibration(left, right, solution.right_from_left)


def pair_errors(calibration: StereoCalibration, views: Sequence[PairView], board: Board) -> list[PairErrors]:
    """Epipolar residuals and scale of every view under a calibration."""
    rectification = Rectification.from_calibration(calibration)
    return [_errors(rectification, view, board) for view in views]


def _errors(rectification: Rectification, view: PairView, board: Board) -> PairErrors:
    left, right, points = _triangulated(rectification, view)
    return PairErrors(view.name, left, left[:, 1] - right[:, 1], _scale(points, board.points_m[_common_ids(view)]))


def calibrated_scale(rectification: Rectification, view: PairView, board: Board) -> tuple[float, float, float]:
    """Depth in m at which a board is seen, its size over the true one, and its column (px) in the right image."""
    _, right, points = _triangulated(rectification, view)
    scale = _scale(points, board.points_m[_common_ids(view)])
    return float(np.nanmedian(points[:, 2])), scale, float(np.median(right[:, 0]))


def _common_ids(view: PairView) -> IntArray:
    return np.intersect1d(view.left.ids, view.right.ids, assume_unique=True)


def _triangulated(rectification: Rectification, view: PairView) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rectified pixels (N, 2) of the corners that both cameras see, and the points (N, 3) that they make."""
    left, right = (
        rectification.points(pixels, right=side) for side, pixels in zip((False, True), view.common(), strict=True)
    )
    rig = rectification.rig
    disparity = left[:, 0] - right[:, 0]
    depth_m = (rig.focal_px or 1.0) * (rig.baseline_m or 1.0) / np.where(disparity > 0, disparity, np.nan)
    rays = np.column_stack([(left - [rig.cx, rig.cy]) / (rig.focal_px or 1.0), np.ones(len(left))])
    return left, right, rays * depth_m[:, None]


def _scale(seen: FloatArray, true: FloatArray) -> float:
    """Ratio of the spreads of two point sets (N, 3) around their middles."""
    good = np.isfinite(seen).all(axis=1)
    if good.sum() < 4:
        return float("nan")
    seen, true = (points[good] - points[good].mean(axis=0) for points in (seen, true))
    return float(np.sqrt((seen**2).sum() / (true**2).sum()))


def rms(values: Sequence[FloatArray]) -> float:
    """Root mean square over arrays, NaN left out."""
    together = np.concatenate([np.ravel(array) for array in values]) if values else np.array([np.nan])
    return float(np.sqrt(np.nanmean(together**2)))


def held_out_errors(solution: StereoSolution) -> list[PairErrors]:
    """Cross-validation: errors of every view under a solution of the other four fifths."""
    errors: list[PairErrors] = []
    count = len(solution.views)
    folds = min(FOLDS, count)
    for fold in range(folds):
        inside = np.arange(count) % folds != fold
        part = [view for view, use in zip(solution.views, inside.tolist(), strict=True) if use]
        rest = [view for view, use in zip(solution.views, inside.tolist(), strict=True) if not use]
        smaller = replace(solution, views=tuple(part))
        state = BundleAdjustment(solution.model, smaller.corners).solve(solution.state.of_views(inside))
        errors += pair_errors(calibration_of(replace(smaller, state=state)), rest, solution.board)
    return sorted(errors, key=lambda pair: [view.name for view in solution.views].index(pair.name))
