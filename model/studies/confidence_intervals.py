"""Means over few runs and how sure they are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t below which 97.5 % lie, for 1 to 10 degrees of freedom; for more, the last one is on the safe side."""


@dataclass(frozen=True, slots=True)
class Mean:
    """Of independent runs."""

    value: float
    half: float  # of the 95 % interval by Student's t; infinite for a single run

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return abs(self.value) > self.half


def mean_of(values: Sequence[float]) -> Mean:
    """Of at least one value."""
    count = len(values)
    if count < 2:
        return Mean(values[0], math.inf)
    quantile = T_975[min(count - 1, len(T_975)) - 1]
    return Mean(statistics.fmean(values), quantile * statistics.stdev(values) / math.sqrt(count))


def mean_difference(values: Sequence[float], baseline: Sequence[float]) -> Mean:
    """Of runs that share what they are paired by, in the same order: a seed, and with it pairs and weights."""
    return mean_of([value - base for value, base in zip(values, baseline, strict=True)])
