"""Significance of a consensus (a-contrario test): could matches that are all wrong have agreed so well by chance?

The number of false alarms of an a-contrario test (Moisan and Stival, IJCV 2004): how many models as good as this one
are to be expected among matches drawn at random.
"""

from __future__ import annotations

import math

from roma_device.calibration.size import Size

LOG10_LIMIT = -6.0


def log10_false_alarms(matches: int, inliers: int, distance_px: float, size: Size, sample: int) -> float:
    """log10 of the number of false alarms of a consensus: how many models as good chance would give.

    ``inliers`` of ``matches`` lie within ``distance_px`` (Sampson) of a model that ``sample`` matches determine.
    ``size``: width and height of the image in px. A match at random lies so near an epipolar line with at most the
    share of the image that a band about its diagonal takes.
    """
    if inliers <= sample:
        return math.inf
    diagonal, area = math.hypot(*size), size[0] * size[1]
    chance = min(1.0, 2 * math.sqrt(2) * distance_px * diagonal / area)
    subsets = _log10_choose(matches, inliers) + _log10_choose(inliers, sample)
    return math.log10(10 * matches) + subsets + (inliers - sample) * math.log10(chance)


def is_by_chance(matches: int, inliers: int, distance_px: float, size: Size, sample: int = 5) -> bool:
    """Whether the consensus is not significant: so many inliers mean nothing."""
    return log10_false_alarms(matches, inliers, distance_px, size, sample) > LOG10_LIMIT


def _log10_choose(n: int, k: int) -> float:
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(10)
