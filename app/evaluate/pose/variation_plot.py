"""Plot of pose AUC over roll and scale, drawn with OpenCV: the device has no plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import Image

WIDTH_PX, HEIGHT_PX, MARGIN_PX = 560, 420, 60
PAPER, GRID, INK = (255, 255, 255), (226, 226, 226), (60, 60, 60)
COLOURS = ((180, 90, 20), (60, 150, 60), (40, 40, 200), (150, 60, 150))
"""BGR, one for each method in turn."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX

Curve = Mapping[float, float]
"""Roll in degrees or scale -> AUC@10."""


@dataclass(frozen=True, slots=True)
class _Panel:
    """One axis across: its name, its ends and its ticks; scales are drawn by their logarithm."""

    name: str
    ticks: Sequence[float]
    is_log: bool = False

    def x(self, value: float) -> float:
        low, high, at = (np.log(n) if self.is_log else n for n in (self.ticks[0], self.ticks[-1], value))
        return float(MARGIN_PX + (at - low) / (high - low) * (WIDTH_PX - 2 * MARGIN_PX))


PANELS = {
    "roll": _Panel("roll, deg", (0, 60, 120, 180, 240, 300, 360)),
    "scale": _Panel("scale", (0.4, 0.5, 0.63, 0.8, 1, 1.25, 1.6, 2, 2.5), is_log=True),
}


def draw_auc(methods: Mapping[str, Mapping[str, Curve]]) -> Image:
    """BGR (H, W, 3), a panel for each of PANELS; ``methods``: name -> panel -> curve."""
    panels = []
    for name, panel in PANELS.items():
        image = _empty(panel)
        for number, (method, curves) in enumerate(methods.items()):
            colour = COLOURS[number % len(COLOURS)]
            _draw(image, panel, curves[name], colour)
            cv2.putText(image, method, (MARGIN_PX + 90 * number, 34), _FONT, 0.5, colour, 1, cv2.LINE_AA)
        panels.append(image)
    return np.asarray(np.hstack(panels))


def _y(auc: float) -> float:
    return HEIGHT_PX - MARGIN_PX - auc * (HEIGHT_PX - 2 * MARGIN_PX)


def _empty(panel: _Panel) -> Image:
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), PAPER, np.uint8)
    for tick in panel.ticks:
        x = round(panel.x(tick))
        cv2.line(image, (x, MARGIN_PX), (x, HEIGHT_PX - MARGIN_PX), GRID, 1)
        _label(image, f"{tick:g}", (x, HEIGHT_PX - MARGIN_PX + 18))
    for auc in (0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = round(_y(auc))
        cv2.line(image, (MARGIN_PX, y), (WIDTH_PX - MARGIN_PX, y), GRID, 1)
        _label(image, f"{auc:g}", (MARGIN_PX - 20, y + 5))
    _label(image, f"AUC@10 over {panel.name}", (WIDTH_PX // 2, HEIGHT_PX - 14))
    return image


def _label(image: Image, text: str, middle: tuple[int, int]) -> None:
    (width, _), _ = cv2.getTextSize(text, _FONT, 0.45, 1)
    cv2.putText(image, text, (middle[0] - width // 2, middle[1]), _FONT, 0.45, INK, 1, cv2.LINE_AA)


def _draw(image: Image, panel: _Panel, curve: Curve, colour: tuple[int, int, int]) -> None:
    points = np.array([(panel.x(value), _y(auc)) for value, auc in sorted(curve.items())])
    fine = np.round(points * 16).astype(np.int32)
    cv2.polylines(image, [fine.reshape(-1, 1, 2)], False, colour, 2, cv2.LINE_AA, 4)
    for x, y in fine.tolist():
        cv2.circle(image, (x, y), 3 << 4, colour, -1, cv2.LINE_AA, 4)
