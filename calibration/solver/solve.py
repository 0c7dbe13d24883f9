"""Corners of many pairs -> a calibrated rig, with a list of what did not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from roma_device.calibration.boards.board import Board, FloatArray
from roma_device.calibration.camera import CameraModel, DistortionModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.pose import Pose

from .bundle import Bundle, BundleState
from .outliers import DroppedCorner, DroppedView, Sifted, sift
from .pair import agreed_pose, cameras_of, pair_state, poses_in
from .single import SingleCamera, as_rational, solve_robustly, solve_single
from .views import LEAST_CORNERS, Corners, PairView

LEAST_PAIRS = 6
LENSES: dict[str, DistortionModel] = {
    "plumb_bob": "plumb_bob",
    "rational": "rational_polynomial",
    "fisheye": "equidistant",
}
"""Names on the command line; auto takes the simplest that fits about as well as the best."""

CLEARLY_BETTER = 0.93
MOST_ROUNDS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A solved rig with all that a report needs."""

    board: Board
    model: DistortionModel
    size: tuple[int, int]  # width, height in px
    views: tuple[PairView, ...]  # those that stayed
    state: BundleState
    dropped_views: tuple[DroppedView, ...] = ()
    dropped_corners: tuple[DroppedCorner, ...] = ()
    tried: dict[str, float] = field(default_factory=dict)  # lens -> robust deviation in px

    @property
    def cameras(self) -> tuple[CameraModel, CameraModel]:
        return cameras_of(self.state.intrinsics, self.size, self.model)

    @property
    def right_from_left(self) -> Pose:
        return self.state.from_first[0]

    @property
    def corners(self) -> tuple[Corners, Corners]:
        return _corners(self.views, self.board.points_m)

    def residuals(self) -> tuple[FloatArray, ...]:
        """Per camera (N, 2) px, projected minus seen, in the order of ``corners``."""
        return Bundle(self.model, self.corners).residuals(self.state)

    def rms_px(self) -> float:
        """Root mean square of the distance between projected and seen corners, over both cameras."""
        squared = np.concatenate([(each**2).sum(axis=1) for each in self.residuals()])
        return float(np.sqrt(squared.mean()))


def solve_rig(views: Sequence[PairView], board: Board, size: tuple[int, int], lens: str = "auto") -> Solution:
    """Solve the rig whose images have ``size`` (width, height).

    Each camera alone first, then the pair; then views and corners that do not fit are dropped, and the rest
    is solved by plain least squares. Raises CalibrationError where too few pairs fit each other.
    """
    usable, dropped = _with_enough_corners(views)
    _require(usable, dropped, len(views))
    model, singles, tried = _solve_singles(usable, board, size, lens)
    solution = _solve_pair(usable, board, size, model, singles, dropped)
    return replace(solution, tried=tried)


def _with_enough_corners(views: Sequence[PairView]) -> tuple[list[PairView], list[DroppedView]]:
    usable, dropped = [], []
    for view in views:
        least = min(len(side.ids) for side in view.sides())
        if least < LEAST_CORNERS or len(view.common()[0]) < LEAST_CORNERS:
            dropped.append(DroppedView(view.name, f"only {least} corners are seen"))
        else:
            usable.append(view)
    return usable, dropped


def _require(usable: Sequence[PairView], dropped: Sequence[DroppedView], total: int) -> None:
    if len(usable) < LEAST_PAIRS:
        hint = f", such as {dropped[0].name}: {dropped[0].reason}" if dropped else ""
        raise CalibrationError(
            f"{len(usable)} of {total} pairs can be used{hint}; a calibration needs at least {LEAST_PAIRS}, "
            "better 20, with the board in different places, distances and tilts"
        )


def _solve_singles(
    views: Sequence[PairView], board: Board, size: tuple[int, int], lens: str
) -> tuple[DistortionModel, tuple[SingleCamera, ...], dict[str, float]]:
    chosen = LENSES.items() if lens == "auto" else [(lens, LENSES[lens])]
    solved: dict[str, tuple[SingleCamera, ...]] = {}
    for name, model in chosen:
        starts = [as_rational(one.intrinsics) for one in solved.get("plumb_bob", ())] if name == "rational" else []
        if name == "rational" and not starts:
            starts = [as_rational(one.intrinsics) for one in _singles(views, board, size, "plumb_bob", [])]
        solved[name] = _singles(views, board, size, model, starts)
    tried = {name: float(np.mean([one.sigma_px for one in pair])) for name, pair in solved.items()}
    best = _simplest(tried)
    return LENSES[best], solved[best], tried


def _singles(
    views: Sequence[PairView], board: Board, size: tuple[int, int], model: DistortionModel, starts: list[FloatArray]
) -> tuple[SingleCamera, ...]:
    return tuple(
        solve_single(
            [view.sides()[side] for view in views], board.points_m, size, model, starts[side] if starts else None
        )
        for side in range(2)
    )


def _simplest(tried: dict[str, float]) -> str:
    """From the simplest model on, take another only where its deviation is clearly smaller."""
    order = [name for name in ("plumb_bob", "fisheye", "rational") if name in tried]
    best = order[0]
    for name in order[1:]:
        if tried[name] < CLEARLY_BETTER * tried[best]:
            best = name
    return best


def _solve_pair(
    views: Sequence[PairView],
    board: Board,
    size: tuple[int, int],
    model: DistortionModel,
    singles: tuple[SingleCamera, ...],
    dropped: list[DroppedView],
) -> Solution:
    intrinsics = singles[0].intrinsics, singles[1].intrinsics
    cameras = cameras_of(intrinsics, size, model)
    pose, agree, left = agreed_pose(cameras, views, board.points_m)
    moved = "left and right image do not agree on where the board is: it moved between them, or corners are false"
    dropped = dropped + [
        DroppedView(view.name, moved) for view, fits in zip(views, agree.tolist(), strict=True) if not fits
    ]
    kept = [view for view, fits in zip(views, agree.tolist(), strict=True) if fits]
    poses = [own for own, fits in zip(left, agree.tolist(), strict=True) if fits and own is not None]
    if pose is None or len(kept) < LEAST_PAIRS:
        raise _disagreement(cameras, views, board, len(kept))
    return _refined(kept, board, size, model, pair_state(intrinsics, pose, poses), dropped)


def _disagreement(
    cameras: tuple[CameraModel, CameraModel], views: Sequence[PairView], board: Board, kept: int
) -> CalibrationError:
    """Why the views do not agree: try what people do wrong."""
    mirrored = CameraModel(cameras[1].size, cameras[1].matrix, cameras[1].distortion, cameras[1].model)
    seen = sum(pose is not None for pose in poses_in(mirrored, views, 1, board.points_m))
    return CalibrationError(
        f"only {kept} of {len(views)} pairs agree on where the right camera stands ({seen} show the board to it): "
        "are left and right images of the same instant, paired in the right order, and neither mirrored nor turned?"
    )


def _refined(
    views: list[PairView],
    board: Board,
    size: tuple[int, int],
    model: DistortionModel,
    state: BundleState,
    dropped_views: list[DroppedView],
) -> Solution:
    total, dropped_corners = len(views) + len(dropped_views), list[DroppedCorner]()
    for _ in range(MOST_ROUNDS):
        corners = _corners(views, board.points_m)
        state, _ = solve_robustly(corners, state, model)
        sifted: Sifted = sift(views, corners, Bundle(model, corners).residuals(state))
        if sifted.is_clean:
            break
        views, state = sifted.views, state.of_views(sifted.kept)
        dropped_views, dropped_corners = (
            dropped_views + sifted.dropped_views,
            dropped_corners + sifted.dropped_corners,
        )
        _require(views, dropped_views, total)
    state = Bundle(model, _corners(views, board.points_m)).solve(state)
    return Solution(board, model, size, tuple(views), state, tuple(dropped_views), tuple(dropped_corners))


def _corners(views: Sequence[PairView], points_m: FloatArray) -> tuple[Corners, Corners]:
    left, right = (Corners.of([view.sides()[side] for view in views], points_m) for side in range(2))
    return left, right
