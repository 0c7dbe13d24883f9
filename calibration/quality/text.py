"""Text reports of a calibration, of a pair or a single camera, for a terminal."""

from __future__ import annotations

from roma_device.calibration.boards.chessboard import Chessboard
from roma_device.calibration.solver.solution import BaseSolution

from .camera_report import CameraReport
from .epipolar import rms
from .report import QualityReport

MOST_LISTED = 8
_MEANING = {
    "good": "good: use it",
    "usable": "usable: depth will work, and could be better",
    "redo": "redo: do not rely on depth from it",
}


def as_text(report: QualityReport) -> str:
    """About 30 lines: verdict first, then what it means, then the figures."""
    parts = [_verdict(report), _depth(report), _figures(report), _estimates(report), _dropped(report.solution, "pairs")]
    return "\n\n".join(part for part in parts if part)


def _verdict(report: QualityReport) -> str:
    lines = [f"Verdict: {_MEANING[report.verdict]}"]
    lines += [f"  - {finding}" for finding in report.findings]
    return "\n".join(lines)


def _depth(report: QualityReport) -> str:
    lines = ["Depth error that the calibration leaves (95 % of rigs calibrated like this are better):"]
    for error in report.depth:
        lines.append(
            f"  at {error.distance_m:4g} m: {error.percent:6.2f} %  = {error.cm:6.2f} cm"
            f"   (a matcher that is 0.25 px off adds {error.matching_percent:.2f} %)"
        )
    return "\n".join(lines)


def _figures(report: QualityReport) -> str:
    solution = report.solution
    left, right = report.coverage()
    total = len(solution.views) + len(solution.dropped_views)
    return "\n".join(
        [
            board_line(solution),
            f"Pairs:      {len(solution.views)} of {total} used, {solution.size[0]}x{solution.size[1]} px",
            lens_line(solution),
            f"Corners:    RMS {report.rms_px[0]:.3f} px left, {report.rms_px[1]:.3f} px right",
            f"Rows:       RMS {report.epipolar_px:.3f} px between left and right in pairs left out of the solution "
            f"({rms([pair.vertical_px for pair in report.fitted]):.3f} px in those used)",
            f"Board size: {report.scale_percent:.2f} % off in pairs left out",
            f"Coverage:   {left:.0%} of the left image, {right:.0%} of the right one",
        ]
    )


def board_line(solution: BaseSolution) -> str:
    notes = {side.note for view in solution.views for side in view.sides()[:1]} - {""}
    found = f" ({', '.join(sorted(notes))})" if notes else ""
    return (
        f"Board:      {solution.board.spec}{found}{', inner corners' if isinstance(solution.board, Chessboard) else ''}"
    )


def lens_line(solution: BaseSolution) -> str:
    tried = ", ".join(f"{name} {value:.3f} px" for name, value in solution.tried.items())
    return f"Lens:       {solution.model}" + (f" (deviations tried: {tried})" if len(solution.tried) > 1 else "")


def _estimates(report: QualityReport) -> str:
    lines = ["Rig, with 95 % intervals:"]
    for side in ("left", "right"):
        parts = [
            f"{name} {report.estimates[f'{side}_{name}'].value:.2f} ± {report.estimates[f'{side}_{name}'].margin:.2f}"
            for name in ("fx", "fy", "cx", "cy")
        ]
        lines.append(f"  {side:5}: {', '.join(parts)} px")
    baseline = report.estimates["baseline"]
    lines.append(f"  baseline: {baseline.value:.2f} ± {baseline.margin:.2f} mm")
    angles = [
        f"{name} {report.estimates[name].value:+.3f} ± {report.estimates[name].margin:.3f}"
        for name in ("roll", "pitch", "yaw")
    ]
    lines.append(f"  right camera: {', '.join(angles)} deg")
    return "\n".join(lines)


def _dropped(solution: BaseSolution, what: str) -> str:
    """``what`` was looked at, pairs or images."""
    if not solution.dropped_views and not solution.dropped_corners:
        return ""
    lines = [f"Left out: {len(solution.dropped_views)} {what}, {len(solution.dropped_corners)} single corners"]
    lines += [f"  {view.name}: {view.reason}" for view in solution.dropped_views[:MOST_LISTED]]
    for corner in sorted(solution.dropped_corners, key=lambda corner: -corner.error_px)[:MOST_LISTED]:
        side = f" of the {corner.side} image" if corner.side else ""
        lines.append(f"  {corner.view}: corner {corner.corner}{side} {corner.reason}")
    if what == "pairs" and max(len(solution.dropped_views), len(solution.dropped_corners)) > MOST_LISTED:
        lines.append("  ... the rest is listed with --json")
    return "\n".join(lines)


_CAMERA_MEANING = {
    "good": "good: use it",
    "usable": "usable, and could be better",
    "redo": "redo: do not rely on it",
}


def camera_as_text(report: CameraReport) -> str:
    """About 15 lines: verdict first, then the figures."""
    lines = [f"Verdict: {_CAMERA_MEANING[report.verdict]}", *(f"  - {finding}" for finding in report.findings)]
    dropped = _dropped(report.solution, "images")
    return "\n".join([*lines, "", *_camera_figures(report), *([f"\n{dropped}"] if dropped else [])])


def _camera_figures(report: CameraReport) -> list[str]:
    solution, (median, greatest) = report.solution, report.direction_px
    total = len(solution.views) + len(solution.dropped_views)
    values = ", ".join(
        f"{name} {estimate.value:.2f} ± {estimate.margin:.2f}" for name, estimate in report.estimates.items()
    )
    return [
        board_line(solution),
        f"Images:     {len(solution.views)} of {total} used, {solution.size[0]}x{solution.size[1]} px",
        lens_line(solution),
        f"Corners:    RMS {solution.rms_px():.3f} px, {report.left_out_px:.3f} px in images left out of the solution",
        f"Directions: uncertain by {median:.2f} px where the board was seen, {greatest:.2f} px at worst (95 %)",
        f"Coverage:   {report.coverage:.0%} of the image",
        f"Camera:     {values} px (95 % intervals)",
        f"Distortion: {' '.join(f'{value:.6g}' for value in solution.camera.distortion)}",
    ]
