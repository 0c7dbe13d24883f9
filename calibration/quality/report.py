"""Quality report of a stereo calibration: reprojection, epipolar and depth errors with their uncertainty."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.guided.coverage import Look, covered_share, grid_counts, look_at_board
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.bundle_adjustment import BundleState
from roma_device.calibration.solver.single_camera import LENSES
from roma_device.calibration.solver.solve import StereoSolution
from roma_device.calibration.solver.uncertainty import propagated, shared_covariance

from .depth_error import DepthError, depth_errors
from .epipolar import PairErrors, calibration_of, held_out_errors, pair_errors, rms
from .verdict import Grade, Reason, judge_figures, judge_rig, judge_views, verdict_as_json, worst


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with half the width of its 95 % interval."""

    value: float
    margin: float
    unit: str

    def as_json(self) -> dict[str, float | str]:
        return {"value": round(self.value, 6), "margin_95": round(self.margin, 6), "unit": self.unit}


@dataclass(frozen=True, slots=True, eq=False)
class QualityReport:
    """Quality report of a stereo calibration: what came out, how sure it is, and what it means."""

    solution: StereoSolution
    calibration: StereoCalibration
    rms_px: tuple[float, float]  # reprojection error: left, right
    fitted: list[PairErrors]
    held_out: list[PairErrors]
    estimates: dict[str, Estimate]
    depth: list[DepthError]
    findings: list[Reason]

    @property
    def verdict(self) -> Grade:
        return worst(self.findings)

    @property
    def epipolar_px(self) -> float:
        """Cross-validated RMS of the epipolar residuals."""
        return rms([pair.vertical_px for pair in self.held_out])

    @property
    def scale_percent(self) -> float:
        """RMS error of the board's size in such pairs."""
        return 100 * rms([np.array([pair.scale - 1]) for pair in self.held_out])

    def as_json(self) -> dict[str, Any]:
        """Plain values for json.dumps."""
        solution = self.solution
        return {
            **verdict_as_json(self.findings, solution),
            "pairs": len(solution.views),
            "dropped_pairs": [{"name": view.name, "reason": view.reason} for view in solution.dropped_views],
            "dropped_corners": [
                {"pair": corner.view, "side": corner.side, "corner": corner.corner, "error_px": corner.rounded_px()}
                for corner in solution.dropped_corners
            ],
            "rms_px": {
                "left": round(self.rms_px[0], 4),
                "right": round(self.rms_px[1], 4),
                "both": round(solution.rms_px(), 4),
            },
            "epipolar_px": {
                "held_out": round(self.epipolar_px, 4),
                "fitted": round(rms([pair.vertical_px for pair in self.fitted]), 4),
                "median": round(float(np.median(np.abs(np.hstack([pair.vertical_px for pair in self.held_out])))), 4),
            },
            "scale_percent_held_out": round(self.scale_percent, 4),
            "coverage": dict(zip(("left", "right"), (round(share, 3) for share in self.coverage()), strict=True)),
            "estimates": {name: estimate.as_json() for name, estimate in self.estimates.items()},
            "depth_error_95": [
                {
                    "distance_m": error.distance_m,
                    "percent": round(error.percent, 4),
                    "cm": round(error.cm, 4),
                    "matching_percent": round(error.matching_percent, 4),
                }
                for error in self.depth
            ],
        }

    def coverage(self) -> tuple[float, float]:
        """Share of the left and of the right image in which corners were seen."""
        views, size = self.solution.views, self.solution.size
        left, right = (covered_share(grid_counts([view.sides()[side] for view in views], size)) for side in range(2))
        return left, right


def make_report(solution: StereoSolution, stated_baseline_m: float | None = None) -> QualityReport:
    """Work out all figures of the report; raises CalibrationError for a rig that is none, such as swapped cameras."""
    _check_order(solution)
    calibration = calibration_of(solution)
    covariance, quantile = shared_covariance(solution), t_quantile_95(len(solution.views) - 1)
    held_out = held_out_errors(solution)
    depth = depth_errors(solution, covariance, quantile)
    looks = [look_at_board(solution.board, view.left, solution.size) for view in solution.views]
    report = QualityReport(
        solution,
        calibration,
        _rms_by_side(solution),
        pair_errors(calibration, solution.views, solution.board),
        held_out,
        _estimates(solution, covariance, quantile),
        depth,
        [],
    )
    at_5_m = next(error for error in depth if error.distance_m == 5)
    report.findings.extend(judge_figures({**_figures(report), "depth_percent": at_5_m.percent}))
    report.findings.extend(judge_views(solution, [look for look in looks if isinstance(look, Look)]))
    report.findings.extend(judge_rig(solution, solution.right_from_left, stated_baseline_m))
    return report


def finished_calibration(
    report: QualityReport, serial: str = "", temperature_c: float | None = None
) -> StereoCalibration:
    """The calibration with its quality figures and origin, ready to be saved."""
    bare, solution = report.calibration, report.solution
    quality = {**_figures(report), **{f"depth_percent_{error.distance_m:g}m": error.percent for error in report.depth}}
    quality["pairs"] = float(len(solution.views))
    lens = next(name for name, model in LENSES.items() if model == solution.model)
    origin = {"board": solution.board.spec, "lens": lens, "verdict": report.verdict}
    if temperature_c is not None:
        origin["temperature_c"] = f"{temperature_c:g}"
    made_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return StereoCalibration(bare.left, bare.right, bare.right_from_left, quality, made_at, serial, origin)


def t_quantile_95(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t (Cornish-Fisher's expansion, good to 0.005 from 4 on)."""
    z, n = 1.959964, max(freedom, 3)
    terms = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return float(z + sum(term / n ** (power + 1) for power, term in enumerate(terms)))


def _check_order(solution: StereoSolution) -> None:
    x, y, _ = solution.right_from_left.translation_m.tolist()
    if abs(y) > abs(x):
        raise CalibrationError(
            f"the cameras lie above each other (offset {x * 1000:.0f} mm along x, {y * 1000:.0f} mm along y): "
            "this program matches along rows, so turn the rig or its images by 90 degrees"
        )
    if x > 0:
        raise CalibrationError(
            lambda option: (
                "left and right are swapped, or both images are mirrored: the right camera comes out "
                f"{x * 1000:.0f} mm to the left of the left one; use {option('swap')}, or exchange the cameras"
            ),
            exit_code=os.EX_DATAERR,
        )


def _rms_by_side(solution: StereoSolution) -> tuple[float, float]:
    left, right = (float(np.sqrt((residual**2).sum(axis=1).mean())) for residual in solution.residuals())
    return left, right


def _figures(report: QualityReport) -> dict[str, float]:
    solution = report.solution
    total = len(solution.views) + len(solution.dropped_views)
    return {
        "rms_px": solution.rms_px(),
        "epipolar_px": report.epipolar_px,
        "depth_px": next(error.disparity_px for error in report.depth if error.distance_m == 5),
        "scale_percent": report.scale_percent,
        "dropped_share": len(solution.dropped_views) / total,
    }


def _estimates(solution: StereoSolution, covariance: FloatArray, quantile: float) -> dict[str, Estimate]:
    """Intrinsics, baseline and the angles between the cameras, each with its interval."""
    values = _quantities(solution.state)
    sigmas = propagated(solution, covariance, _quantities)
    names = [f"{side}_{name}" for side in ("left", "right") for name in ("fx", "fy", "cx", "cy")]
    units = ["px"] * 8 + ["mm"] + ["deg"] * 3
    return {
        name: Estimate(float(value), float(quantile * sigma), unit)
        for name, value, sigma, unit in zip(
            [*names, "baseline", "pitch", "yaw", "roll"], values, sigmas, units, strict=True
        )
    }


def _quantities(state: BundleState) -> FloatArray:
    pose = state.from_first[0]
    return np.concatenate(
        [
            *(vector[:4] for vector in state.intrinsics),
            [1000 * np.linalg.norm(pose.translation_m)],
            np.rad2deg(pose.rotation_vector),
        ]
    )
