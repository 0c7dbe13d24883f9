"""HTML reports of a calibration, of a pair or a single camera, one file each that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np

from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.rectify import Rectification
from roma_device.calibration.solver.outliers import DroppedView

from .camera_report import CameraReport
from .epipolar import rms
from .plots import coverage_plot, epipolar_plot, residual_plot, view_plot
from .report import QualityReport
from .text import as_text, camera_as_text
from .verdict import Grade, Reason

LINES = 16
WIDEST_PX = 1400
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1000px; padding: 0 1rem; color: #1d2125; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
.good { color: #1e7d3c; } .usable { color: #a66a00; } .redo { color: #b3261e; }
pre { background: #f4f5f7; padding: .8rem; overflow-x: auto; font-size: 13px; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; flex: 1 1 420px; }
figcaption { font-size: 13px; color: #555; margin-bottom: .2rem; } svg { width: 100%; background: #fff; }
svg text { font: 10px system-ui, sans-serif; fill: #333; } .frame { fill: none; stroke: #bbb; }
.arrow { fill: none; stroke: #c0392b; stroke-width: .8; }
.dot { fill: none; stroke: #1d2125; stroke-width: 2; stroke-linecap: round; }
img { max-width: 100%; } td, th { padding: .15rem .9rem .15rem 0; text-align: left; }
"""


def report_page(
    report: QualityReport,
    refused: Sequence[DroppedView],
    example: tuple[GreyImage, GreyImage] | None,
    facts: Mapping[str, str],
) -> str:
    """The HTML page; ``example`` is a raw pair (H, W) to show rectified, ``refused`` the pairs without a view.

    ``facts``: what of, and when, by its name: the date, serial numbers.
    """
    solution = report.solution
    rows = {pair.name: rms([pair.vertical_px]) for pair in report.held_out}
    views = view_plot(solution, rows, "per pair: corners (blue), rows when left out (red)")
    parts = [
        f"<h2>What it means</h2>{_depth_table(report)}",
        _example(report, example),
        f"<h2>Errors of the corners</h2>{row_of(residual_plot(solution, 0), residual_plot(solution, 1))}",
        f"<h2>Rows and pairs</h2>{row_of(epipolar_plot(report), views)}",
        f"<h2>Coverage</h2>{row_of(coverage_plot(solution, 0), coverage_plot(solution, 1))}",
        f"<h2>All figures</h2><pre>{escape(as_text(report))}</pre>",
        refused_list("Pairs", refused),
    ]
    return page_of("Stereo calibration", report.verdict, report.findings, [facts_line(facts), *parts])


def page_of(title: str, verdict: Grade, findings: Sequence[Reason], parts: Sequence[str]) -> str:
    """A whole page with the verdict and its reasons at the top."""
    reasons = "".join(f"<li class='{reason.grade}'>{escape(str(reason))}</li>" for reason in findings)
    top = f"<h1>{title}: <span class='{verdict}'>{verdict}</span></h1><ul>{reasons}</ul>"
    head = f"<meta charset='utf-8'><title>{title}: {verdict}</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{top}{''.join(parts)}</body></html>\n"


def facts_line(facts: Mapping[str, str]) -> str:
    """What is known of the camera and the day."""
    return f"<p>{escape('; '.join(f'{name} {value}' for name, value in facts.items() if value))}</p>"


def row_of(*figures: str) -> str:
    return f"<div class='row'>{''.join(figures)}</div>"


def _depth_table(report: QualityReport) -> str:
    rows = "".join(
        f"<tr><td>{error.distance_m:g} m</td><td>{error.percent:.2f} %</td><td>{error.cm:.1f} cm</td>"
        f"<td>{error.matching_percent:.2f} %</td></tr>"
        for error in report.depth
    )
    head = "<tr><th>distance</th><th>depth error, 95 %</th><th></th><th>a matcher 0.25 px off adds</th></tr>"
    return f"<table>{head}{rows}</table>"


def _example(report: QualityReport, example: tuple[GreyImage, GreyImage] | None) -> str:
    """A pair after rectification with lines: what they cut on the left they have to cut on the right."""
    if example is None:
        return ""
    rectification = Rectification.from_calibration(report.calibration)
    maps = rectification.maps(rectification.rig.size)
    if maps is None:
        return ""
    sides = [cv2.remap(image, *side_maps, cv2.INTER_LINEAR) for image, side_maps in zip(example, maps, strict=True)]
    both = cv2.cvtColor(np.hstack(sides), cv2.COLOR_GRAY2BGR)
    for line in range(1, LINES):
        row = round(line * both.shape[0] / LINES)
        cv2.line(both, (0, row), (both.shape[1] - 1, row), (60, 200, 60) if line % 2 else (230, 140, 40), 1)
    return f"<h2>A pair, rectified</h2>{picture('rectified pair with lines', both)}"


def picture(what: str, image: GreyImage) -> str:
    """An image (H, W[, 3]) inside of the page."""
    scale = min(1.0, WIDEST_PX / image.shape[1])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    data = base64.b64encode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()).decode("ascii")
    return f"<img alt='{what}' src='data:image/jpeg;base64,{data}'>"


def refused_list(what: str, refused: Sequence[DroppedView]) -> str:
    if not refused:
        return ""
    items = "".join(f"<li>{escape(view.name)}: {escape(view.reason)}</li>" for view in refused)
    return f"<h2>{what} without a usable view</h2><ul>{items}</ul>"


def camera_page(
    report: CameraReport, refused: Sequence[DroppedView], example: GreyImage | None, facts: Mapping[str, str]
) -> str:
    """The same for a single camera; ``example`` is a raw image (H, W) to show undistorted."""
    solution = report.solution
    views = view_plot(solution, report.held_out_px, "per image: corners (blue), corners when left out (red)")
    parts = [
        f"<h2>All figures</h2><pre>{escape(camera_as_text(report))}</pre>",
        f"<h2>Corners: errors and coverage</h2>{row_of(residual_plot(solution, 0), coverage_plot(solution, 0))}",
        f"<h2>Images</h2>{row_of(views)}",
        "" if example is None else _undistorted_example(solution.camera, example),
        refused_list("Images", refused),
    ]
    return page_of("Camera calibration", report.verdict, report.findings, [facts_line(facts), *parts])


def _undistorted_example(camera: CameraModel, image: GreyImage) -> str:
    """An image before and after: straight edges of the board have to be straight."""
    both = np.hstack([image, undistorted(camera, image)])
    return f"<h2>An image, undistorted</h2>{picture('an image before and after', both)}"


def undistorted(camera: CameraModel, image: GreyImage) -> GreyImage:
    """Undistort: the image (H, W) as a pinhole camera along the same axis has it and of the same size."""
    height, width = image.shape
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    rays = np.column_stack([x.ravel() / camera.fx, y.ravel() / camera.fx, np.ones(x.size)])
    source = camera.project(rays).reshape(height, width, 2).astype(np.float32)
    return np.asarray(cv2.remap(image, source, None, cv2.INTER_LINEAR), np.uint8)
