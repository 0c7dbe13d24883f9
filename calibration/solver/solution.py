"""Solution of a bundle adjustment, of one camera or a pair, and its refinement without outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.boards.board import Board
from roma_device.calibration.camera import DistortionModel
from roma_device.calibration.errors import CalibrationError

from .bundle_adjustment import BundleAdjustment, BundleState
from .observations import Corners, PairView, SoloView, View, corners_of
from .outliers import DroppedCorner, DroppedView, drop_outliers
from .single_camera import solve_robustly

MOST_ROUNDS = 6

LEAST_VIEWS = 6


@dataclass(frozen=True, slots=True, eq=False)
class BaseSolution:
    """Solution of a calibration: intrinsics and poses with all that a report needs."""

    board: Board
    model: DistortionModel
    size: Size
    views: tuple[PairView, ...] | tuple[SoloView, ...]  # those that stayed
    state: BundleState
    dropped_views: tuple[DroppedView, ...] = ()
    dropped_corners: tuple[DroppedCorner, ...] = ()
    tried: dict[str, float] = field(default_factory=dict)  # lens -> robust sigma in px

    @property
    def corners(self) -> tuple[Corners, ...]:
        """Observed corners per camera."""
        return corners_of(self.views, self.board.points_m)

    def residuals(self) -> tuple[FloatArray, ...]:
        """Reprojection residuals per camera (N, 2) px, projected minus seen, in the order of ``corners``."""
        return BundleAdjustment(self.model, self.corners).residuals(self.state)

    def rms_px(self) -> float:
        """RMS reprojection error over all cameras."""
        squared = np.concatenate([(residual**2).sum(axis=1) for residual in self.residuals()])
        return float(np.sqrt(squared.mean()))


def require_enough(usable: Sequence[View], dropped: Sequence[DroppedView], total: int, what: str) -> None:
    """Raises CalibrationError where too little can be used of ``total`` "images" or "pairs"."""
    if len(usable) < LEAST_VIEWS:
        hint = f", such as {dropped[0].name}: {dropped[0].reason}" if dropped else ""
        raise CalibrationError(
            f"{len(usable)} of {total} {what} can be used{hint}; a calibration needs at least {LEAST_VIEWS}, "
            "better 20, with the board in different places, distances and tilts"
        )


def solve_without_outliers(
    views: Sequence[View],
    points_m: FloatArray,
    model: DistortionModel,
    state: BundleState,
    dropped_views: list[DroppedView],
    what: str,
) -> tuple[tuple[View, ...], BundleState, tuple[DroppedView, ...], tuple[DroppedCorner, ...]]:
    """Drop outliers until all fits, then plain least squares: the views that stay, and the state of these."""
    total, dropped_corners = len(views) + len(dropped_views), list[DroppedCorner]()
    for _ in range(MOST_ROUNDS):
        corners = corners_of(views, points_m)
        state, _ = solve_robustly(corners, state, model)
        cleaned = drop_outliers(views, corners, BundleAdjustment(model, corners).residuals(state))
        if cleaned.is_clean:
            break
        views, state = cleaned.views, state.of_views(cleaned.kept)
        dropped_views = dropped_views + cleaned.dropped_views
        dropped_corners = dropped_corners + cleaned.dropped_corners
        require_enough(views, dropped_views, total, what)
    state = BundleAdjustment(model, corners_of(views, points_m)).solve(state)
    return tuple(views), state, tuple(dropped_views), tuple(dropped_corners)
