"""Plausibility of ground-truth disparity: its sign, and its scale by what the two images show."""

from __future__ import annotations

import numpy as np

from roma_device.calibration.arrays import FloatArray, FloatImage, Image, IntArray

MOST_WRONG = 0.1
"""Share of the known pixels that may be negative, or farther off than the image is wide."""

SCALES = (
    -1.0,
    256.0,
    1 / 256,
    128.0,
    1 / 128,
    64.0,
    1 / 64,
    16.0,
    1 / 16,
    8.0,
    1 / 8,
    4.0,
    1 / 4,
    3.0,
    1 / 3,
    2.0,
    0.5,
)
MOST_POINTS = 20000
CLEARLY_BETTER = 0.5


def truth_problem(truth_px: FloatImage) -> str:
    """Why a truth (H, W) cannot be disparities in px of its image; "" where it can."""
    known = truth_px[np.isfinite(truth_px)]
    if not known.size:
        return ""
    width = truth_px.shape[1]
    negative, beyond = float(np.mean(known < 0)), float(np.mean(np.abs(known) >= width))
    middle = float(np.median(known))
    if beyond > MOST_WRONG:
        return (
            f"{100 * beyond:.0f} % of the truth is greater than the image is wide ({width} px; the median is "
            f"{middle:.5g} px): is the scale of the index wrong?"
        )
    if negative > MOST_WRONG:
        return (
            f"{100 * negative:.0f} % of the truth is negative (the median is {middle:.5g} px): disparity is "
            "x_left - x_right here; some data sets have the other sign"
        )
    return ""


def better_scale(truth_px: FloatImage, left: Image, right: Image) -> float | None:
    """The factor of SCALES by which the truth would fit the images far better, None where there is no such."""
    rows, columns = np.nonzero(np.isfinite(truth_px))
    chosen = np.random.default_rng(0).permutation(len(rows))[:MOST_POINTS]
    rows, columns = rows[chosen], columns[chosen]
    values = truth_px[rows, columns].astype(np.float64)
    if not len(values) or not np.any(values):
        return None
    given = _misfit(rows, columns, values, left, right)
    misfits = {scale: _misfit(rows, columns, values * scale, left, right) for scale in SCALES}
    best = min(misfits, key=misfits.__getitem__)
    return best if misfits[best] < CLEARLY_BETTER * given and given > 2 else None


def _misfit(rows: IntArray, columns: IntArray, values: FloatArray, left: Image, right: Image) -> float:
    """Median difference in grey between points and their partners; outside of the image the greatest there is."""
    partners = np.rint(columns - values)
    inside = (partners >= 0) & (partners < right.shape[1])
    difference = np.full(len(values), 255.0)
    seen = right[rows[inside], partners[inside].astype(np.intp)].astype(np.float64)
    difference[inside] = np.abs(left[rows[inside], columns[inside]] - seen)
    return float(np.median(difference))
