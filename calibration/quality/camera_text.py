"""Text report of a single camera's calibration, for a terminal."""

from __future__ import annotations

from .camera_report import CameraReport
from .text import MOST_LISTED, board_line, lens_line

_MEANING = {
    "good": "good: use it",
    "usable": "usable, and could be better",
    "redo": "redo: do not rely on it",
}


def camera_as_text(report: CameraReport) -> str:
    """About 15 lines: verdict first, then the figures."""
    lines = [f"Verdict: {_MEANING[report.verdict]}", *(f"  - {finding}" for finding in report.findings)]
    return "\n".join([*lines, "", *_figures(report), *_dropped(report)])


def _figures(report: CameraReport) -> list[str]:
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


def _dropped(report: CameraReport) -> list[str]:
    solution = report.solution
    if not solution.dropped_views and not solution.dropped_corners:
        return []
    lines = ["", f"Left out: {len(solution.dropped_views)} images, {len(solution.dropped_corners)} single corners"]
    lines += [f"  {view.name}: {view.reason}" for view in solution.dropped_views[:MOST_LISTED]]
    for corner in sorted(solution.dropped_corners, key=lambda corner: -corner.error_px)[:MOST_LISTED]:
        lines.append(f"  {corner.view}: corner {corner.corner} {corner.reason}")
    return lines
