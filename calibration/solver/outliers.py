"""Outlier rejection: views and corners whose reprojection errors do not fit the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray

from .bundle_adjustment import BEHIND_PX
from .observations import Corners, View
from .single_camera import robust_sigma_px

CORNER_SIGMAS = 6.0
LEAST_CORNER_PX = 0.6
"""What is nearer than this stays, however sharp the other corners are."""

MOST_FALSE_SHARE = 0.25
VIEW_FACTOR = 3.5
LEAST_VIEW_PX = 0.4


@dataclass(frozen=True, slots=True)
class DroppedView:
    """A view that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class DroppedCorner:
    """A corner that was left out."""

    view: str
    side: str
    corner: int
    error_px: float

    @property
    def is_behind(self) -> bool:
        """It lies beyond what a flat image can show, and so has no error in px."""
        return self.error_px >= BEHIND_PX

    @property
    def reason(self) -> str:
        return "lies 90 degrees off the lens's axis or more" if self.is_behind else f"is {self.error_px:.1f} px off"

    def rounded_px(self) -> float | None:
        return None if self.is_behind else round(self.error_px, 2)


@dataclass(frozen=True, slots=True, eq=False)
class WithoutOutliers(Generic[View]):
    """Views without outliers: those that stay, some without a corner, and what was dropped."""

    kept: IntArray  # (K,) indices
    views: list[View]  # K of them
    dropped_views: list[DroppedView]
    dropped_corners: list[DroppedCorner]

    @property
    def is_clean(self) -> bool:
        return not self.dropped_views and not self.dropped_corners


def drop_outliers(
    views: Sequence[View], corners: tuple[Corners, ...], residuals: Sequence[FloatArray]
) -> WithoutOutliers[View]:
    """Drop outlying views and corners by their residuals, per camera (N, 2) px, under a robust solution."""
    limit_px = max(CORNER_SIGMAS * robust_sigma_px(residuals), LEAST_CORNER_PX)
    errors = [np.linalg.norm(residual, axis=1) for residual in residuals]
    sides = range(len(corners))
    medians = np.array([[_median(errors, corners, side, index) for side in sides] for index in range(len(views))])
    view_limit_px = max(VIEW_FACTOR * float(np.median(medians)), LEAST_VIEW_PX)
    cleaned: WithoutOutliers[View] = WithoutOutliers(np.empty(0, np.intp), [], [], [])
    kept = []
    for index, view in enumerate(views):
        own = [errors[side][corners[side].view == index] for side in sides]
        reason = _reason(view.SIDES, own, medians[index].tolist(), limit_px, view_limit_px)
        if reason:
            cleaned.dropped_views.append(DroppedView(view.name, reason))
        else:
            kept.append(index)
            cleaned.views.append(_without(view, own, limit_px, cleaned.dropped_corners))
    return WithoutOutliers(np.array(kept, np.intp), cleaned.views, cleaned.dropped_views, cleaned.dropped_corners)


def _median(errors: list[FloatArray], corners: tuple[Corners, ...], side: int, index: int) -> float:
    own = errors[side][corners[side].view == index]
    return float(np.median(own)) if len(own) else 0.0


def _reason(
    sides: Sequence[str], own: list[FloatArray], medians: list[float], limit_px: float, view_limit_px: float
) -> str:
    where = [f" in the {side} image" if side else "" for side in sides]
    for place, errors in zip(where, own, strict=True):
        false = int((errors > limit_px).sum())
        if len(errors) and false / len(errors) > MOST_FALSE_SHARE:
            return f"{false} of {len(errors)} corners{place} are false, by up to {errors.max():.1f} px"
    worst = int(np.argmax(medians))
    if medians[worst] > view_limit_px:
        return f"its corners{where[worst]} are {medians[worst]:.2f} px off, far more than in the other views"
    return ""


def _without(view: View, own: list[FloatArray], limit_px: float, dropped: list[DroppedCorner]) -> View:
    sides = []
    for side, detection, errors in zip(view.SIDES, view.sides(), own, strict=True):
        false = errors > limit_px
        dropped += [
            DroppedCorner(view.name, side, int(number), float(error))
            for number, error in zip(detection.ids[false], errors[false], strict=True)
        ]
        sides.append(detection.keep(~false) if false.any() else detection)
    return view.with_sides(*sides)
