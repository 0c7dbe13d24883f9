"""Plausibility of ground-truth disparity: its sign, and its scale by what the two images show."""

from __future__ import annotations

from collections.abc import Iterator

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
MOST_ZEROS = 0.05
"""Share of the known pixels that may be exactly 0: what is farther than 0.004 px of disparity is hardly measured."""

MOST_POINTS = 20000
CLEARLY_BETTER = 0.5


def truth_problem(truth_px: FloatImage) -> str:
    """Why a truth (H, W) cannot be disparities in px of its image; "" where it can."""
    known = truth_px[np.isfinite(truth_px)]
    if not known.size:
        return "no pixel of the truth is known: is the value right that stands for unknown (invalid)?"
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


def truth_doubts(truth_px: FloatImage, left: Image, right: Image) -> Iterator[str]:
    """What a truth (H, W) may be instead, by values that repeat and by what the images show; nothing for most."""
    known = truth_px[np.isfinite(truth_px)]
    zeros = float(np.mean(known == 0)) if known.size else 0.0
    if zeros > MOST_ZEROS and float(np.percentile(known, 95)) > 1:
        yield f'{100 * zeros:.0f} % of the truth is exactly 0: does 0 stand for unknown? Then give it as "invalid": 0'
    if (scale := better_scale(truth_px, left, right)) is not None:
        yield f"the images fit far better with a truth {scale:g} times as great: are its scale and sign right?"
    elif is_upside_down(truth_px, left, right):
        yield "the images fit far better with the truth upside down: is its first row the lowest one?"


def better_scale(truth_px: FloatImage, left: Image, right: Image) -> float | None:
    """The factor of SCALES, or the image's width, by which the truth would fit far better; None where there is none."""
    rows, columns = _sample(truth_px)
    values = truth_px[rows, columns].astype(np.float64)
    if not np.any(values):
        return None
    given = _misfit(rows, columns, values, left, right)
    scales = (*SCALES, float(truth_px.shape[1]))
    misfits = {scale: _misfit(rows, columns, values * scale, left, right) for scale in scales}
    best = min(misfits, key=misfits.__getitem__)
    return best if misfits[best] < CLEARLY_BETTER * given and given > 2 else None


def is_upside_down(truth_px: FloatImage, left: Image, right: Image) -> bool:
    """Whether the truth would fit far better with its rows in the other order, as PFM files have them."""
    turned = truth_px[::-1]
    misfits = []
    for truth in (truth_px, turned):
        rows, columns = _sample(truth)
        misfits.append(_misfit(rows, columns, truth[rows, columns].astype(np.float64), left, right))
    return misfits[1] < CLEARLY_BETTER * misfits[0] and misfits[0] > 2


def _sample(truth_px: FloatImage) -> tuple[IntArray, IntArray]:
    """Rows and columns of known pixels, the same for the same truth."""
    rows, columns = np.nonzero(np.isfinite(truth_px))
    chosen = np.random.default_rng(0).permutation(len(rows))[:MOST_POINTS]
    return rows[chosen], columns[chosen]


def _misfit(rows: IntArray, columns: IntArray, values: FloatArray, left: Image, right: Image) -> float:
    """Median difference in grey between points and their partners; outside of the image the greatest there is."""
    partners = np.rint(columns - values)
    inside = (partners >= 0) & (partners < right.shape[1])
    difference = np.full(len(values), 255.0)
    seen = right[rows[inside], partners[inside].astype(np.intp)].astype(np.float64)
    difference[inside] = np.abs(left[rows[inside], columns[inside]] - seen)
    return float(np.median(difference)) if len(difference) else 0.0
