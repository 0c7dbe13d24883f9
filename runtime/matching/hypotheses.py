"""Hypotheses of roll and scale: what to try where a network knows few pixels again, and how to choose.

A network that was trained on nearly upright pairs (three quarters of its certain matches are left at 20 degrees of
roll, a quarter at 30, none at 45; a third at a scale of 1.6, a hundredth at 2) finds others once they are aligned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.runtime.types import Matches

from .alignment import Affine, Alignment

FEW_SHARE = 0.02
"""Share of the first image's pixels that must be certain, or else other hypotheses are looked at."""

SURE_SHARE = 0.05
"""From which on no further hypothesis is looked at."""

KNOWN_SHARE = 0.005
"""So many pixels may seem certain in images that have nothing in common: with fewer a hypothesis is none."""

PLAIN_SHARE = 0.4
"""Usual pairs have more, and are not looked at any further."""

TURNS_DEG = (60.0, 300.0, 120.0, 240.0, 180.0)
"""Nothing is more than 30 degrees from one of these or 0, from where the matches tell the rest."""

RATIOS = (0.5, 2.0)

NEARLY = 0.8
"""Of the certain pixels that the last look must have to count: it shows them at a higher resolution."""

USUAL_TURN_DEG, USUAL_SCALE = 15.0, 1.4
"""A pair that is off by less needs no other alignment."""

LEAST_CERTAIN_PX, MOST_SAMPLES = 60, 600
NEAR_SHARE = 0.05
"""Of the canvas's width: how well a similarity must tell where a match lies; it knows nothing of depth."""

LEAST_AGREEING = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """What a network found on the canvases of one alignment."""

    alignment: Alignment
    matches: Matches  # on the canvases, certain only where both points lie inside the images
    share: float  # of the first image's pixels that are certain


Look = Callable[[Alignment], Aligned]
"""Runs the network once."""


def best_aligned(look: Look, size_a: Size, size_b: Size, min_certainty: float) -> Aligned:
    """The alignment with the most certain pixels; a usual pair is looked at once, others up to nine times.

    What is found of a turned or scaled pair tells what both images share, and that is looked at once more, upright and
    as large as the canvases allow.
    """
    best = look(Alignment.squeezed(size_a, size_b))
    if best.share < FEW_SHARE:
        for alignment in _alignments(best.alignment, size_a, size_b):
            found = look(alignment)
            best = found if found.share > max(best.share, KNOWN_SHARE) else best
            if best.share >= SURE_SHARE:
                break
    is_usual = best.alignment.is_plain and best.share >= PLAIN_SHARE
    if not is_usual and (better := _corrected(best, size_a, size_b, min_certainty)) is not None:
        last = look(better)
        best = last if last.share > NEARLY * best.share else best
    return best


def _alignments(first: Alignment, size_a: Size, size_b: Size) -> Iterator[Alignment]:
    """Seven: both halvings and five turns."""
    for ratio in RATIOS:
        yield Alignment.turned(size_a, size_b, 0.0, first.ratio * ratio)
    for turn_deg in TURNS_DEG:
        yield Alignment.turned(size_a, size_b, turn_deg, first.ratio)


def _corrected(found: Aligned, size_a: Size, size_b: Size, min_certainty: float) -> Alignment | None:
    """By what the matches show; None where that is a usual pair, or not known."""
    certain = np.flatnonzero(found.matches.certainty >= min_certainty)
    if len(certain) < LEAST_CERTAIN_PX:
        return None
    chosen = certain[np.linspace(0, len(certain) - 1, min(len(certain), MOST_SAMPLES)).astype(np.intp)]
    row, column = np.unravel_index(chosen, found.matches.certainty.shape)
    a, b = np.column_stack([column, row]).astype(np.float32), found.matches.warp[row, column]
    limit_px = NEAR_SHARE * size_a.width
    matrix, agreeing = cv2.estimateAffinePartial2D(a, b, method=cv2.RANSAC, ransacReprojThreshold=limit_px)
    if matrix is None or not np.isfinite(matrix).all() or np.mean(agreeing) < LEAST_AGREEING:
        return None
    scale, turn_deg = float(np.hypot(*matrix[:, 0])), float(np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])))
    is_usual = abs(turn_deg) < USUAL_TURN_DEG and 1 / USUAL_SCALE < scale < USUAL_SCALE
    if is_usual and found.alignment.is_plain:
        return None
    return Alignment.on_overlap(size_a, size_b, _between_images(found.alignment, np.asarray(matrix)))


def _between_images(alignment: Alignment, on_canvas: Affine) -> Affine:
    """The map from the first canvas to the second as one from the first image to the second."""
    a, on_canvas, b = (
        np.vstack([one, [0, 0, 1]]) for one in (alignment.a_from_canvas, on_canvas, alignment.b_from_canvas)
    )
    return np.asarray((b @ on_canvas @ np.linalg.inv(a))[:2])
