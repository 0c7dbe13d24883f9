"""Procedural textures of natural materials, seeded: stone, wood, cloth, clouds.

Colours are BGR from 0 to 255; patterns are laid out in metres, so that their scale does not depend on
the resolution that a surface needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import FloatImage

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Swatch:
    """The piece of surface that a painter fills."""

    shape: tuple[int, int]  # height, width in texels
    texels_per_m: float
    rng: np.random.Generator

    def grid_m(self) -> tuple[FloatImage, FloatImage]:
        """Coordinates (H, W) of every texel from the upper left corner."""
        y, x = np.mgrid[: self.shape[0], : self.shape[1]].astype(np.float32)
        return x / np.float32(self.texels_per_m), y / np.float32(self.texels_per_m)

    def fractal(self, cell_m: float, stretch: float = 1.0) -> FloatImage:
        """Noise (H, W) of about unit variance: features of ``cell_m`` and all finer ones.

        ``stretch`` lengthens the features along x.
        """
        noise, amplitude, power = np.zeros(self.shape, np.float32), 1.0, 0.0
        cell_px = cell_m * self.texels_per_m
        while power == 0 or cell_px >= 1.5:
            noise += amplitude * self._lattice(max(cell_px, 1.0), max(cell_px * stretch, 1.0))
            power += amplitude**2
            cell_px, amplitude = cell_px / 2, amplitude * 0.65
        return np.asarray(noise * np.float32(1.5 / power**0.5))

    def _lattice(self, cell_y_px: float, cell_x_px: float) -> FloatImage:
        rows, columns = round(self.shape[0] / cell_y_px) + 2, round(self.shape[1] / cell_x_px) + 2
        knots = self.rng.standard_normal((rows, columns), dtype=np.float32)
        return np.asarray(cv2.resize(knots, self.shape[::-1], interpolation=cv2.INTER_CUBIC))

    def edge(self, distance_m: FloatImage) -> FloatImage:
        """1 where a signed distance is positive, 0 where negative, and a soft step one texel wide."""
        return np.asarray(np.clip(distance_m * np.float32(self.texels_per_m) + np.float32(0.5), 0, 1))

    def tones(self, rows: FloatImage, columns: FloatImage) -> FloatImage:
        """A random number of unit variance for every (row, column) of a tiling, looked up per texel."""
        table = self.rng.standard_normal((61, 67), dtype=np.float32)
        return np.asarray(table[rows.astype(np.int32) % 61, columns.astype(np.int32) % 67])


Painter = Callable[[Swatch], FloatImage]
"""Fills a swatch: (H, W, 3) BGR, 0 to 255 (values beyond are clipped later)."""


def tinted(colour: Colour, variation: FloatImage) -> FloatImage:
    """The colour times (1 + variation), with variation (H, W)."""
    return (1 + variation)[..., None] * np.array(colour, np.float32)


def blended(below: FloatImage | Colour, above: FloatImage | Colour, share: FloatImage) -> FloatImage:
    """``above`` laid over ``below`` where share (H, W) is 1."""
    bottom, top = np.asarray(below, np.float32), np.asarray(above, np.float32)
    return bottom + share[..., None] * (top - bottom)


def plaster(colour: Colour, grain: float = 0.035, mottle: float = 0.05) -> Painter:
    """A wall that was painted by hand: ``grain`` and ``mottle`` are the variation near by and from afar."""
    return lambda swatch: tinted(colour, grain * swatch.fractal(0.02) + mottle * swatch.fractal(0.7))


def bricks(colour: Colour, mortar: Colour = (150, 160, 165)) -> Painter:
    """Running bond, bricks of 22 by 7.5 cm."""

    def paint(swatch: Swatch) -> FloatImage:
        x, y = swatch.grid_m()
        row = np.floor(y / 0.075)
        column = x / 0.22 + 0.5 * (row % 2)
        inset_x, inset_y = column % 1, (y / 0.075) % 1
        to_joint = np.minimum(np.minimum(inset_x, 1 - inset_x) * 0.22, np.minimum(inset_y, 1 - inset_y) * 0.075)
        joint = 1 - swatch.edge(to_joint - 0.006 + 0.0012 * swatch.fractal(0.03))
        rough = 0.07 * swatch.fractal(0.02) + 0.06 * swatch.fractal(0.5)
        bricks_ = tinted(colour, 0.14 * swatch.tones(row, np.floor(column)) + rough)
        return blended(bricks_, tinted(mortar, rough), joint)

    return paint


def planks(colour: Colour, width_m: float = 0.14, length_m: float = 1.3) -> Painter:
    """Boards along x with grain, dark joints and a tone of their own."""

    def paint(swatch: Swatch) -> FloatImage:
        x, y = swatch.grid_m()
        row = np.floor(y / width_m)
        column = x / length_m + swatch.tones(row, np.zeros_like(row))
        inset_x, inset_y = column % 1, (y / width_m) % 1
        to_joint = np.minimum(np.minimum(inset_x, 1 - inset_x) * length_m, np.minimum(inset_y, 1 - inset_y) * width_m)
        tone = 0.13 * swatch.tones(row, np.floor(column))
        grain = 0.09 * swatch.fractal(0.02, stretch=14) + 0.06 * np.sin(9 * swatch.fractal(0.2, stretch=5))
        return tinted(colour, tone + grain - 0.6 * (1 - swatch.edge(to_joint - 0.0025)))

    return paint


def marble(colour: Colour, vein: Colour, cell_m: float = 0.15) -> Painter:
    """Stone with thin veins."""

    def paint(swatch: Swatch) -> FloatImage:
        veins = np.exp(-6 * np.abs(np.sin(2.2 * swatch.fractal(cell_m))))
        return blended(tinted(colour, 0.06 * swatch.fractal(cell_m / 3)), vein, veins)

    return paint


def patches(low: Colour, high: Colour, cell_m: float, level: float = 0.0) -> Painter:
    """Islands of one colour in a sea of another: a globe, camouflage, moss."""

    def paint(swatch: Swatch) -> FloatImage:
        shape, rough = swatch.fractal(cell_m), 0.08 * swatch.fractal(cell_m / 4)
        return blended(tinted(low, rough), tinted(high, 1.5 * rough), np.clip(6 * (shape - level), 0, 1))

    return paint


def weave(colour: Colour, other: Colour, pitch_m: float = 0.25) -> Painter:
    """A woven rug: diamonds, stripes and threads."""

    def paint(swatch: Swatch) -> FloatImage:
        x, y = (np.asarray(axis + 0.004 * swatch.fractal(0.1), np.float32) for axis in swatch.grid_m())
        diamonds = np.abs((x / pitch_m) % 1 - 0.5) + np.abs((y / pitch_m) % 1 - 0.5)
        rings = swatch.edge(np.asarray((0.06 - np.abs((diamonds * 3) % 1 - 0.5) * 0.3) * pitch_m))
        border = swatch.edge(np.asarray(np.abs(((y / pitch_m) % 4) - 2) * pitch_m - 1.7 * pitch_m))
        threads = 0.09 * swatch.fractal(0.012) + 0.06 * swatch.fractal(0.3)
        return blended(tinted(colour, threads), tinted(other, threads), np.maximum(rings, border))

    return paint


def clouds(sky: Colour, cloud: Colour, cell_m: float) -> Painter:
    """A sky that pales towards the horizon, its middle row."""

    def paint(swatch: Swatch) -> FloatImage:
        height = np.abs(np.linspace(1, -1, swatch.shape[0], dtype=np.float32))[:, None]
        haze = np.broadcast_to((1 - height) ** 4, swatch.shape)
        cover = np.clip(0.45 * swatch.fractal(cell_m, stretch=2.5), 0, 0.9)
        return blended(tinted(sky, np.zeros(swatch.shape, np.float32)), cloud, np.maximum(cover, 0.8 * haze))

    return paint
