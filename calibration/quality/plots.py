"""The report's plots as SVG, drawn by hand: no plotting library on the device."""

from __future__ import annotations

from html import escape

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.guided.coverage import grid_counts
from roma_device.calibration.solver.solution import BaseSolution

from .epipolar import rms
from .report import QualityReport

WIDTH = 460
TARGET_ARROW_PX = 28
"""Length that the 95th percentile of the residuals is drawn with."""

CELLS = (12, 8)


def residual_plot(solution: BaseSolution, side: int) -> str:
    """Where corners were seen, with the direction and size of what is left of their error, enlarged."""
    corners, residuals = solution.corners[side], solution.residuals()[side]
    typical = max(float(np.percentile(np.linalg.norm(residuals, axis=1), 95)), 1e-6)
    scale, zoom = WIDTH / solution.size[0], TARGET_ARROW_PX / typical
    parts = []
    for (x, y), (dx, dy) in zip((corners.pixels * scale).tolist(), (residuals * zoom).tolist(), strict=True):
        parts.append(f"M{x:.1f} {y:.1f}l{dx:.1f} {dy:.1f}")
    dots = "".join(f"M{x:.1f} {y:.1f}h.1" for x, y in (corners.pixels * scale).tolist())
    title = f"{_named(solution, side)}{TARGET_ARROW_PX} px long is {typical:.2f} px"
    content = f'<path d="{"".join(parts)}" class="arrow"/><path d="{dots}" class="dot"/>'
    return _framed(title, content, _height(solution))


def coverage_plot(solution: BaseSolution, side: int) -> str:
    """In how many views corners lie in each part of the image."""
    counts = grid_counts([view.sides()[side] for view in solution.views], solution.size)
    content = _cells(counts.astype(float), _height(solution), max(float(counts.max()), 1.0), "{:.0f}", "#2f8f4e")
    return _framed(f"{_named(solution, side)}views per part of the image", content, _height(solution))


def _named(solution: BaseSolution, side: int) -> str:
    name = solution.views[0].SIDES[side]
    return f"{name}: " if name else ""


def epipolar_plot(report: QualityReport) -> str:
    """RMS of the vertical error in each part of the rectified left image, in pairs left out of the solution."""
    points = np.concatenate([pair.left for pair in report.held_out])
    errors = np.concatenate([pair.vertical_px for pair in report.held_out])
    values = np.full(CELLS[::-1], np.nan)
    cells = np.floor(points / report.solution.size * CELLS).astype(int)
    for row in range(CELLS[1]):
        for column in range(CELLS[0]):
            inside = (cells[:, 0] == column) & (cells[:, 1] == row)
            if inside.sum() >= 3:
                values[row, column] = rms([errors[inside]])
    content = _cells(
        values, _height(report.solution), max(float(np.nanmax(values, initial=0)), 0.5), "{:.2f}", "#c0392b"
    )
    return _framed("difference between the rows of left and right, px RMS", content, _height(report.solution))


def view_plot(solution: BaseSolution, left_out_px: dict[str, float], title: str) -> str:
    """Error of every view: its corners, and (by its name) what counts where it was left out."""
    names: list[str] = [view.name for view in solution.views]
    corner_px = [_view_rms(solution, index) for index in range(len(names))]
    top = max([*corner_px, *left_out_px.values(), 0.1])
    step, height, parts = WIDTH / len(names), 160, []
    for index, name in enumerate(names):
        for offset, value, colour in ((0.1, corner_px[index], "#3477b5"), (0.5, left_out_px[name], "#c0392b")):
            tall = 130 * value / top
            x = (index + offset) * step
            box = f'x="{x:.1f}" y="{140 - tall:.1f}" width="{0.36 * step:.1f}" height="{tall:.1f}"'
            parts.append(f'<rect {box} fill="{colour}"><title>{escape(name)}: {value:.3f} px</title></rect>')
    parts.append(f'<text x="2" y="12">{top:.2f} px</text><text x="2" y="155">{escape(names[0])}</text>')
    last = escape(names[-1])
    parts.append(f'<text x="{WIDTH - 2}" y="155" text-anchor="end">{last}</text>')
    return _framed(title, "".join(parts), height)


def _view_rms(solution: BaseSolution, index: int) -> float:
    own = [
        residuals[corners.view == index]
        for corners, residuals in zip(solution.corners, solution.residuals(), strict=True)
    ]
    return float(np.sqrt(np.concatenate([(residual**2).sum(axis=1) for residual in own]).mean()))


def _height(solution: BaseSolution) -> int:
    return round(WIDTH * solution.size[1] / solution.size[0])


def _cells(values: FloatArray, height: int, top: float, form: str, colour: str) -> str:
    """A grid of coloured cells with their values; NaN stays empty."""
    rows, columns = values.shape
    wide, high, parts = WIDTH / columns, height / rows, []
    for row in range(rows):
        for column in range(columns):
            value = float(values[row, column])
            if not np.isfinite(value):
                continue
            place = f'x="{column * wide:.1f}" y="{row * high:.1f}" width="{wide:.1f}" height="{high:.1f}"'
            parts.append(f'<rect {place} fill="{colour}" fill-opacity="{min(value / top, 1):.2f}"/>')
            middle = f'x="{(column + 0.5) * wide:.1f}" y="{(row + 0.5) * high + 4:.1f}"'
            parts.append(f'<text {middle} text-anchor="middle">{form.format(value)}</text>')
    return "".join(parts)


def _framed(title: str, content: str, height: int) -> str:
    frame = f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" class="frame"/>'
    svg = f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{frame}{content}</svg>'
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>"
