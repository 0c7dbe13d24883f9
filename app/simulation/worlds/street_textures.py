"""Procedural textures of a street, seeded: house fronts, vans, the road."""

from __future__ import annotations

import numpy as np

from roma_device.app.simulation.textures import Colour, Painter, Swatch, blended, tinted
from roma_device.calibration.arrays import FloatImage


def facade(colour: Colour, pitch_m: tuple[float, float] = (2.2, 3.0)) -> Painter:
    """A house front: rendered wall, framed windows, some of them lit."""

    def paint(swatch: Swatch) -> FloatImage:
        x, y = swatch.grid_m()
        column, row = np.floor(x / pitch_m[0]), np.floor(y / pitch_m[1])
        off_x, off_y = (x / pitch_m[0]) % 1 - 0.5, (y / pitch_m[1]) % 1 - 0.45
        inner = np.minimum(0.55 - np.abs(off_x) * pitch_m[0], 0.75 - np.abs(off_y) * pitch_m[1])
        bars = np.minimum(np.abs(off_x) * pitch_m[0], np.abs(off_y + 0.1) * pitch_m[1]) - 0.035
        rough = 0.05 * swatch.fractal(0.3) + 0.07 * swatch.fractal(3.0)
        sill = swatch.edge(0.1 - np.abs(y % pitch_m[1] - 0.02)) * 0.8
        wall = blended(tinted(colour, rough), tinted((170, 178, 182), rough), sill)
        glass = tinted((120, 100, 84), 0.35 * swatch.tones(row, column) + 0.25 * swatch.fractal(1.2) + 0.3 * off_y)
        framed = blended(wall, (215, 220, 222), swatch.edge(inner + 0.1))
        return blended(framed, glass, np.minimum(swatch.edge(inner), swatch.edge(bars)))

    return paint


def van_tail(colour: Colour) -> Painter:
    """The back of a van: rear window, lights, bumper and plate."""

    def paint(swatch: Swatch) -> FloatImage:
        picture = tinted(colour, 0.03 * swatch.fractal(0.2))
        lower, upper = 0.08 * swatch.fractal(0.4), 0.3 * swatch.fractal(0.8)
        for left, top, right, bottom, ink in (
            (0.12, 0.1, 0.88, 0.48, tinted((105, 92, 80), upper)),
            (0.49, 0.0, 0.51, 0.85, tinted(colour, lower - 0.5)),
            (0.04, 0.55, 0.12, 0.75, tinted((40, 40, 190), lower)),
            (0.88, 0.55, 0.96, 0.75, tinted((40, 40, 190), lower)),
            (0.0, 0.85, 1.0, 1.0, tinted((58, 58, 60), lower)),
            (0.36, 0.66, 0.64, 0.76, tinted((215, 225, 228), lower)),
        ):
            rows = slice(round(top * swatch.shape[0]), round(bottom * swatch.shape[0]))
            columns = slice(round(left * swatch.shape[1]), round(right * swatch.shape[1]))
            picture[rows, columns] = ink[rows, columns]
        return picture

    return paint


def road(width_m: float) -> Painter:
    """Asphalt along y with a dashed middle line, edge lines and patches of repair."""

    def paint(swatch: Swatch) -> FloatImage:
        x, y = swatch.grid_m()
        aside = np.abs(x - width_m / 2)
        worn = np.clip(0.85 + 0.1 * swatch.fractal(0.08), 0, 1)
        dashes = swatch.edge(0.07 - aside) * (y % 4 < 2)
        lines = np.maximum(dashes, swatch.edge(0.06 - np.abs(aside - (width_m / 2 - 0.3))))
        repair = 0.18 * np.clip(4 * (swatch.fractal(2.5) - 0.9), 0, 1)
        speckle = 0.12 * swatch.fractal(0.03) + 0.08 * swatch.fractal(1.5)
        return blended(tinted((92, 90, 88), speckle - repair), (215, 225, 228), lines * worn)

    return paint
