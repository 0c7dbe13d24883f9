"""From numbers to colours, with the scale bar that tells them back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatArray, FloatImage, Image

UNKNOWN_BGR = (44, 44, 44)
_STEPS = (1.0, 2.0, 5.0, 2.5, 4.0, 3.0, 1.5, 7.5)  # the roundest first; one of them always fits
_SERIES = ((1.0, 2.0, 5.0), (1.0, 2.0, 3.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 3.0), (1.0,))


@dataclass(frozen=True, slots=True)
class ColourScale:
    """From ``low`` to ``high``; near is warm, far is cold.

    Depth is coloured by its logarithm: a street from 3 to 40 m would be red all over otherwise.
    """

    low: float
    high: float
    of_depth: bool  # False for what grows toward the camera, as disparity does

    @classmethod
    def fit(cls, values: FloatImage, *, of_depth: bool) -> ColourScale:
        """From the 2nd to the 98th percentile of the finite ``values``: outliers do not bleach the rest."""
        finite = values[np.isfinite(values)]
        low, high = np.percentile(finite, (2, 98)).tolist() if finite.size else (1.0, 10.0)
        if high - low < 1e-3 * max(abs(high), 1e-3):  # a flat scene still needs a scale with two ends
            low, high = low - 0.1 * max(abs(low), 1e-3), high + 0.1 * max(abs(high), 1e-3)
        return cls(low, high, of_depth)

    def position(self, values: npt.ArrayLike) -> FloatArray:
        """0 at ``low`` to 1 at ``high``, NaN where ``values`` are."""
        clipped = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        if self.of_depth:
            return np.log(clipped / self.low) / math.log(self.high / self.low)
        return (clipped - self.low) / (self.high - self.low)

    def colours(self, values: FloatImage) -> Image:
        """Values (H, W) -> BGR (H, W, 3); what is not finite gets UNKNOWN_BGR."""
        known = np.isfinite(values)
        position = self.position(np.where(known, values, self.low))
        warmth = 1 - position if self.of_depth else position
        colours = _palette()[np.rint(warmth * 255).astype(np.uint8)]
        return np.where(known[..., None], colours, np.array(UNKNOWN_BGR, dtype=np.uint8))

    def ticks(self) -> list[float]:
        """Four to six round numbers within the scale, upward."""
        if self.of_depth and self.high > 4 * self.low:
            ticks = _logarithmic_ticks(self.low, self.high)
            return ticks or _linear_ticks(self.low, self.high)
        return _linear_ticks(self.low, self.high)


def _linear_ticks(low: float, high: float) -> list[float]:
    magnitude = 10.0 ** math.floor(math.log10(high - low))
    for step in [mantissa * scale for scale in (magnitude, magnitude / 10) for mantissa in _STEPS]:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if 4 <= last - first + 1 <= 6:
            return [float(f"{n * step:.9g}") for n in range(first, last + 1)]
    return [low, high]


def _logarithmic_ticks(low: float, high: float) -> list[float]:
    """Empty where no series has four to six members within the scale."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for series in _SERIES:
        ticks = [float(f"{mantissa}e{decade}") for decade in decades for mantissa in series]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if 4 <= len(ticks) <= 6:
            return ticks
    return []


def _palette() -> Image:
    """(256, 3) BGR: Google's Turbo without its ends, whose dark blue would pass for unknown."""
    levels = np.arange(256, dtype=np.uint8).reshape(-1, 1)
    turbo = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO).reshape(256, 3)
    middle = np.rint(np.linspace(18, 240, 256)).astype(int)
    return np.asarray(turbo[middle], dtype=np.uint8)
