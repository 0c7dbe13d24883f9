"""Disparity metrics against ground truth: bad-N, EPE, D1 and density, at the protocol's width."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatArray, FloatImage, Image, Mask, Size

from .index import LoadedPair

PROTOCOL_WIDTH_PX = 640
KEPT_SHARE = 0.8
"""Share of the pixels, the most certain ones, that ``bad2_80`` is measured on."""


@dataclass(frozen=True, slots=True)
class StereoMetrics:
    """Errors over a set of pixels with known truth; shares in [0, 1], NaN where nothing can be measured."""

    bad1: float  # share with an error above 1 px; a missing prediction is bad
    bad2: float
    bad3: float
    epe: float  # mean absolute error of the predictions that are there, px
    d1: float  # share with an error above 3 px and above 5 % of the truth; missing ones included
    density: float  # share with a prediction
    bad2_80: float | None = None  # bad2 of the most certain 80 %; None for a matcher without certainty


def at_width(pair: LoadedPair, width_px: int) -> LoadedPair:
    """The pair as it is judged: ``width_px`` wide, aspect kept, disparities scaled by the width's ratio.

    Images shrink by area and grow linearly; truth and mask take the nearest stored pixel
    (OpenCV's INTER_NEAREST), so that no disparity is made up between two surfaces.
    """
    height, width = pair.disparity_px.shape
    size = Size(width_px, max(1, round(height * width_px / width)))
    ratio = np.float32(width_px / width)
    disparity_px = cv2.resize(pair.disparity_px, size, interpolation=cv2.INTER_NEAREST) * ratio
    nonocc = None
    if pair.nonocc is not None:
        nonocc = cv2.resize(pair.nonocc.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return LoadedPair(_resized(pair.left, size), _resized(pair.right, size), disparity_px, nonocc)


def _resized(image: Image, size: Size) -> Image:
    interpolation = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=interpolation))


def measure(
    predicted_px: FloatImage,
    truth_px: FloatImage,
    certainty: FloatImage | None = None,
    within: Mask | None = None,
) -> StereoMetrics:
    """Compare two disparity maps (H, W) where the truth is finite and ``within``, if given, is true.

    A prediction that is not finite is missing. ``certainty``: (H, W), any scale, larger is surer.

    Raises ValueError where the shapes differ.
    """
    _check_shapes(truth_px, predicted_px, certainty, within)
    judged = np.isfinite(truth_px) if within is None else np.isfinite(truth_px) & within
    truth = truth_px[judged].astype(np.float64)
    predicted = predicted_px[judged].astype(np.float64)
    present = np.isfinite(predicted)
    error_px = np.abs(np.where(present, predicted, np.inf) - truth)
    bad2 = error_px > 2
    return StereoMetrics(
        bad1=_mean(error_px > 1),
        bad2=_mean(bad2),
        bad3=_mean(error_px > 3),
        epe=_mean(error_px[present]),
        d1=_mean((error_px > 3) & (error_px > 0.05 * np.abs(truth))),
        density=_mean(present),
        bad2_80=None if certainty is None else share_of_most_certain(bad2, certainty[judged]),
    )


def share_of_most_certain(bad: Mask, certainty: npt.NDArray[np.floating], kept_share: float = KEPT_SHARE) -> float:
    """Share of true values of ``bad`` (N,) among the ``kept_share`` with the largest ``certainty`` (N,).

    Where the cut falls among equal certainties, these count by their mean: the order of the pixels
    tells nothing. NaN is the least certain of all.
    """
    if bad.size == 0:
        return float("nan")
    ranked = np.where(np.isnan(certainty), -np.inf, certainty)
    kept = max(1, round(kept_share * bad.size))
    threshold = np.partition(ranked, bad.size - kept)[bad.size - kept]
    above, equal = ranked > threshold, ranked == threshold
    return float((bad[above].sum() + bad[equal].mean() * (kept - above.sum())) / kept)


def mean_of(metrics: list[StereoMetrics]) -> StereoMetrics:
    """Mean of each figure, every pair counting the same; NaN ones are left out."""
    means: dict[str, Any] = {
        field.name: _mean_figure([getattr(pair, field.name) for pair in metrics]) for field in fields(StereoMetrics)
    }
    return StereoMetrics(**means)


def _mean_figure(figures: list[float | None]) -> float | None:
    """None where the matcher gives none of this figure."""
    given = np.array([figure for figure in figures if figure is not None], dtype=np.float64)
    return _mean(given[~np.isnan(given)]) if given.size else None


def _mean(values: Mask | FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _check_shapes(truth: FloatImage, *others: npt.NDArray[np.generic] | None) -> None:
    for other in others:
        if other is not None and other.shape != truth.shape:
            raise ValueError(f"shape {other.shape} does not fit the truth's {truth.shape}")
