"""Report of a single camera's calibration: reprojection errors, cross-validation, uncertainty, verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.guided.coverage import Look, covered_share, grid_counts, look_at_board
from roma_device.calibration.pose import nearest_rotation
from roma_device.calibration.solver.bundle_adjustment import BundleAdjustment, BundleState, moved_by
from roma_device.calibration.solver.lens import camera_of
from roma_device.calibration.solver.solve import CameraSolution
from roma_device.calibration.solver.uncertainty import propagated, shared_covariance

from .depth_error import FIELD
from .epipolar import FOLDS, rms
from .report import Estimate, t_quantile_95
from .verdict import Grade, Reason, judge_figures, judge_lens, judge_views, verdict_as_json, worst

POSE_STEPS = 8
SEEN_PERCENT = 95
"""How far from the axis directions are judged: as far as so many corners lie. Beyond, the lens is a guess."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraReport:
    """Quality report of a single camera. It has no depth, so directions are what it is judged by."""

    solution: CameraSolution
    held_out_px: dict[str, float]  # image -> RMS of its corners under a lens from the other four fifths
    estimates: dict[str, Estimate]
    direction_px: tuple[float, float]  # 95 % limit of the error of a direction over the image: median, greatest
    findings: list[Reason]

    @property
    def verdict(self) -> Grade:
        return worst(self.findings)

    @property
    def coverage(self) -> float:
        """Share of the image in which corners were seen."""
        return covered_share(grid_counts([view.seen for view in self.solution.views], self.solution.size))

    @property
    def left_out_px(self) -> float:
        """RMS over all images of ``held_out_px``."""
        return rms([np.array(list(self.held_out_px.values()))])

    def as_json(self) -> dict[str, Any]:
        """Plain values for json.dumps."""
        solution = self.solution
        return {
            **verdict_as_json(self.findings, solution),
            "images": len(solution.views),
            "dropped_images": [{"name": view.name, "reason": view.reason} for view in solution.dropped_views],
            "dropped_corners": [
                {"image": corner.view, "corner": corner.corner, "error_px": corner.rounded_px()}
                for corner in solution.dropped_corners
            ],
            "rms_px": round(solution.rms_px(), 4),
            "held_out_px": round(self.left_out_px, 4),
            "direction_error_95_px": {key: round(value, 4) for key, value in self._directions().items()},
            "coverage": round(self.coverage, 3),
            "estimates": {name: estimate.as_json() for name, estimate in self.estimates.items()},
            "camera": solution.camera.as_json(),
        }

    def _directions(self) -> dict[str, float]:
        return dict(zip(("median", "greatest"), self.direction_px, strict=True))


def make_camera_report(solution: CameraSolution) -> CameraReport:
    """Work out all figures of the report."""
    covariance, quantile = shared_covariance(solution), t_quantile_95(len(solution.views) - 1)
    directions = quantile * propagated(solution, covariance, _DirectionsSeen(solution)).reshape(-1, 3)
    error_px = np.linalg.norm(directions, axis=1)
    report = CameraReport(
        solution,
        held_out_px(solution),
        _estimates(solution, covariance, quantile),
        (float(np.median(error_px)), float(error_px.max())),
        [],
    )
    report.findings.extend(judge_figures(_figures(report)))
    looks = [look_at_board(solution.board, view.seen, solution.size) for view in solution.views]
    report.findings.extend(judge_views(solution, [look for look in looks if isinstance(look, Look)]))
    report.findings.extend(judge_lens("", solution.camera))
    return report


def _figures(report: CameraReport) -> dict[str, float]:
    solution = report.solution
    return {
        "rms_px": solution.rms_px(),
        "held_out_px": report.left_out_px,
        "direction_px": report.direction_px[0],
        "dropped_share": len(solution.dropped_views) / (len(solution.views) + len(solution.dropped_views)),
    }


def _estimates(solution: CameraSolution, covariance: FloatArray, quantile: float) -> dict[str, Estimate]:
    def intrinsics(state: BundleState) -> FloatArray:
        return state.intrinsics[0][:4]

    sigmas = propagated(solution, covariance, intrinsics)
    return {
        name: Estimate(float(value), float(quantile * sigma), "px")
        for name, value, sigma in zip(("fx", "fy", "cx", "cy"), intrinsics(solution.state), sigmas, strict=True)
    }


def held_out_px(solution: CameraSolution) -> dict[str, float]:
    """Cross-validated RMS of each image's corners under the lens of the others; its own board pose alone is fitted."""
    count = len(solution.views)
    folds, errors = min(FOLDS, count), dict[str, float]()
    for fold in range(folds):
        inside = np.arange(count) % folds != fold
        part, rest = (
            replace(solution, views=tuple(np.array(solution.views, object)[chosen])) for chosen in (inside, ~inside)
        )
        lens = BundleAdjustment(solution.model, part.corners).solve(solution.state.of_views(inside)).intrinsics
        bundle = BundleAdjustment(solution.model, rest.corners)
        state = _refit_board_poses(bundle, replace(solution.state.of_views(~inside), intrinsics=lens))
        squared, view = (bundle.residuals(state)[0] ** 2).sum(axis=1), rest.corners[0].view
        errors |= {own.name: float(np.sqrt(squared[view == index].mean())) for index, own in enumerate(rest.views)}
    return {view.name: errors[view.name] for view in solution.views}


def _refit_board_poses(bundle: BundleAdjustment, state: BundleState) -> BundleState:
    """Board poses that fit best to intrinsics held fixed: Gauss-Newton, view by view."""
    for _ in range(POSE_STEPS):
        at = bundle.linearize(state)
        step = np.zeros(len(at.gradient))
        for start in range(len(state.intrinsics[0]), len(step), 6):
            own = slice(start, start + 6)
            step[own] = np.linalg.solve(at.hessian[own, own], -at.gradient[own])
        state = moved_by(state, step)
    return state


class _DirectionsSeen:
    """Where other unknowns have what the solution sees in the image, as far out as corners were: (3 K,) px on a sphere.

    A rotation of the whole camera is taken out: it is one with how the camera is mounted.
    """

    def __init__(self, solution: CameraSolution) -> None:
        self._solution = solution
        x, y = (share * (length - 1) for share, length in zip(np.meshgrid(FIELD, FIELD), solution.size, strict=True))
        centre = solution.state.intrinsics[0][2:4]
        seen_px = np.percentile(np.linalg.norm(solution.corners[0].pixels - centre, axis=1), SEEN_PERCENT)
        pixels = np.column_stack([x.ravel(), y.ravel()])
        self._pixels = pixels[np.linalg.norm(pixels - centre, axis=1) < seen_px]
        self._focal_px = (solution.camera.fx + solution.camera.fy) / 2
        self._before = self._directions(solution.camera)

    def __call__(self, state: BundleState) -> FloatArray:
        now = self._directions(camera_of(state.intrinsics[0], self._solution.size, self._solution.model))
        rotation = nearest_rotation(self._before.T @ now)
        return np.asarray(self._focal_px * (now @ rotation.T - self._before)).ravel()

    def _directions(self, camera: CameraModel) -> FloatArray:
        rays = camera.unproject(self._pixels)
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))
