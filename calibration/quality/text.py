"""Text report of a stereo calibration, for a terminal."""

from __future__ import annotations

from roma_device.calibration.boards.chessboard import Chessboard
from roma_device.calibration.solver.solution import BaseSolution

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
    parts = [_verdict(report), _depth(report), _figures(report), _estimates(report), _dropped(report)]
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


def _dropped(report: QualityReport) -> str:
    solution = report.solution
    if not solution.dropped_views and not solution.dropped_corners:
        return ""
    lines = [f"Left out: {len(solution.dropped_views)} pairs, {len(solution.dropped_corners)} single corners"]
    lines += [f"  {view.name}: {view.reason}" for view in solution.dropped_views[:MOST_LISTED]]
    for corner in sorted(solution.dropped_corners, key=lambda corner: -corner.error_px)[:MOST_LISTED]:
        lines.append(f"  {corner.view}: corner {corner.corner} of the {corner.side} image {corner.reason}")
    if max(len(solution.dropped_views), len(solution.dropped_corners)) > MOST_LISTED:
        lines.append("  ... the rest is listed with --json")
    return "\n".join(lines)
