"""Trajectory plot from above and from the side, drawn with OpenCV: the device has no plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatArray, Image, Mask, Size

from .error import arc_length_m

SIZE_PX = 900
MARGIN_PX = 70
SIDE_PX = 320
"""Height of the view from the side."""

PAPER, GRID, INK = (255, 255, 255), (226, 226, 226), (60, 60, 60)
COLOURS = ((180, 90, 20), (40, 40, 40), (60, 150, 60), (150, 60, 150), (140, 140, 20))
"""BGR, one for each path in turn."""

DEGRADED = (30, 120, 240)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FINE = 4
"""Fractional bits of drawn coordinates."""


@dataclass(frozen=True, slots=True, eq=False)
class PlottedPath:
    """One line of the plot."""

    name: str
    positions_m: FloatArray  # (N, 3) x forward, y left, z up
    degraded: Mask | None = None  # (N,)


def draw_paths(paths: Sequence[PlottedPath]) -> Image:
    """BGR (H, W, 3): from above (x up, y to the left, as a map), and below it height over the distance gone."""
    above = [np.column_stack([-path.positions_m[:, 1], path.positions_m[:, 0]]) for path in paths]
    side = [np.column_stack([arc_length_m(path.positions_m), path.positions_m[:, 2]]) for path in paths]
    top = _panel(paths, above, Size(SIZE_PX, SIZE_PX), ("y (left positive), m", "x forward, m"), (-1, 1), equal=True)
    low = _panel(paths, side, Size(SIZE_PX, SIDE_PX), ("distance gone, m", "z up, m"), (1, 1), equal=False)
    _legend(top, paths)
    return np.vstack([top, low])


@dataclass(frozen=True, slots=True, eq=False)
class _Axes:
    """From plotted metres to pixels: ``px = offset + scale * (value - low)``, y upward."""

    low: FloatArray  # (2,)
    scale: FloatArray  # (2,) px per metre
    origin: FloatArray  # (2,) px of ``low``

    def pixels(self, values: FloatArray) -> FloatArray:
        moved = (values - self.low) * self.scale
        return np.asarray(self.origin + moved * np.array([1, -1]))


def _axes(values: Sequence[FloatArray], size: Size, equal: bool) -> _Axes:
    every = np.concatenate(values)
    low, high = every.min(axis=0), every.max(axis=0)
    room = np.array(size, float) - 2 * MARGIN_PX
    least = 0.1 if equal else np.array([0.1, 0.05 * max(high[0] - low[0], 0.1)])
    span = np.maximum((high - low) * 1.08, least)
    scale = room / span
    if equal:
        scale[:] = scale.min()
    middle = (low + high) / 2
    low = middle - room / scale / 2
    return _Axes(low, scale, np.array([MARGIN_PX, size[1] - MARGIN_PX], float))


def _panel(
    paths: Sequence[PlottedPath],
    values: Sequence[FloatArray],
    size: Size,
    names: tuple[str, str],
    signs: tuple[int, int],
    equal: bool,
) -> Image:
    image = np.full((size[1], size[0], 3), PAPER, np.uint8)
    axes = _axes(values, size, equal)
    _grid(image, axes, signs)
    cv2.putText(image, names[0], (size[0] // 2 - 70, size[1] - 18), _FONT, 0.5, INK, 1, cv2.LINE_AA)
    cv2.putText(image, names[1], (12, 28), _FONT, 0.5, INK, 1, cv2.LINE_AA)
    for path, points, number in zip(paths, values, range(len(paths)), strict=True):
        _line(image, axes.pixels(points), COLOURS[number % len(COLOURS)], path.degraded)
    return image


def _grid(image: Image, axes: _Axes, signs: tuple[int, int]) -> None:
    height, width = image.shape[:2]
    frame = (MARGIN_PX, MARGIN_PX, width - MARGIN_PX, height - MARGIN_PX)
    for axis in (0, 1):
        pixels = (frame[2] - frame[0], frame[3] - frame[1])[axis]
        for tick in _ticks(axes.low[axis], axes.low[axis] + pixels / axes.scale[axis], most=max(pixels // 60, 3)):
            place = np.array(axes.low)
            place[axis] = tick
            x, y = np.round(axes.pixels(place)).astype(int).tolist()
            start, end = ((x, frame[1]), (x, frame[3])) if axis == 0 else ((frame[0], y), (frame[2], y))
            cv2.line(image, start, end, GRID, 1)
            label = f"{signs[axis] * tick + 0.0:.6g}"
            at = (x - 4 * len(label), frame[3] + 18) if axis == 0 else (frame[0] - 10 - 9 * len(label), y + 5)
            cv2.putText(image, label, at, _FONT, 0.45, INK, 1, cv2.LINE_AA)


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most ``most``."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _line(image: Image, pixels: FloatArray, colour: tuple[int, int, int], degraded: Mask | None) -> None:
    fine = np.round(pixels * 2**_FINE).astype(np.int32)
    cv2.polylines(image, [fine.reshape(-1, 1, 2)], False, colour, 2, cv2.LINE_AA, _FINE)
    for point in fine[degraded] if degraded is not None else ():
        cv2.circle(image, point.tolist(), 4 << _FINE, DEGRADED, -1, cv2.LINE_AA, _FINE)
    cv2.circle(image, fine[0].tolist(), 6 << _FINE, colour, 2, cv2.LINE_AA, _FINE)


def _legend(image: Image, paths: Sequence[PlottedPath]) -> None:
    rows = [(path.name, COLOURS[number % len(COLOURS)]) for number, path in enumerate(paths)]
    if any(path.degraded is not None and path.degraded.any() for path in paths):
        rows.append(("degraded", DEGRADED))
    for number, (name, colour) in enumerate(rows):
        y = 30 + 22 * number
        cv2.line(image, (SIZE_PX - 190, y - 5), (SIZE_PX - 160, y - 5), colour, 3, cv2.LINE_AA)
        cv2.putText(image, name, (SIZE_PX - 150, y), _FONT, 0.5, INK, 1, cv2.LINE_AA)
