"""Rival motions: others that explain the same matches, unless the evidence decides between them.

Vuong's test for models that are not nested (Econometrica 57, 1989), robust, with matches that share an error as one
observation: the sum of the differences in cost over its standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray

from .motion import TwoViewMotion
from .refine import RefinedMotion
from .robust import tukey_losses

DECISIVE = 4.0
"""Standard deviations from which on the evidence decides: sixteen observations that all speak for one motion."""

SAME_DEG = 1.0
"""Motions that differ by less are one."""


def rivals_of(best: RefinedMotion, others: Iterable[RefinedMotion], block: IntArray | None) -> list[TwoViewMotion]:
    """The motions of ``others`` that the matches do not decide against, each once.

    All were refined on the same rays, whose ``block`` (N,) is as in RayPairs.
    """
    undecided = [other.motion for other in others if other is not best and evidence(best, other, block) < DECISIVE]
    return distinct(best.motion, undecided)


def distinct(best: TwoViewMotion, motions: Iterable[TwoViewMotion]) -> list[TwoViewMotion]:
    """Those that differ from ``best`` and from each other."""
    kept = [best]
    for motion in motions:
        if all(max(motion.angles_deg(other)) > SAME_DEG for other in kept):
            kept.append(motion)
    return kept[1:]


def evidence(best: RefinedMotion, other: RefinedMotion, block: IntArray | None) -> float:
    """How surely ``best`` explains the matches better, in standard deviations; at most the root of the observations."""
    difference = _losses(other, best.noise_px) - _losses(best, best.noise_px)
    if block is not None:
        difference = np.asarray(np.bincount(block, difference), np.float64)
    spread = float(np.sqrt(difference @ difference))
    return float(difference.sum()) / spread if spread > 0 else 0.0


def _losses(refined: RefinedMotion, noise_px: float) -> FloatArray:
    return tukey_losses(refined.distance_px / noise_px, refined.weight > 0)
