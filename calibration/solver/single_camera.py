"""Intrinsics of cameras alone: lens and board poses by a robust bundle adjustment; choice of the distortion model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import FloatArray, IntArray, Size
from roma_device.calibration.boards.board import Board, Detection
from roma_device.calibration.camera import COEFFICIENTS, DistortionModel
from roma_device.calibration.errors import CalibrationError

from .bundle_adjustment import BundleAdjustment, BundleState
from .initial import board_pose, focal_by_trial
from .lens import PINHOLE, camera_of
from .observations import Corners, PairView, SoloView

LEAST_VIEWS = 4
ROUNDS = 4
LEAST_LOSS_PX = 0.15
PLAIN_SCALE = 1.4826
"""A median of absolute values times this is the sigma of a normal distribution."""


@dataclass(frozen=True, slots=True, eq=False)
class SingleCamera:
    """Intrinsics of one camera, and the views that they were found from."""

    intrinsics: FloatArray  # (4 + distortion,)
    used: IntArray  # (V,) indices of views in which the board has a pose
    state: BundleState  # of these views
    sigma_px: float  # robust sigma of one coordinate


def solve_single_camera(
    detections: Sequence[Detection],
    points_m: FloatArray,
    size: Size,
    model: DistortionModel,
    start: FloatArray | None = None,
) -> SingleCamera:
    """Intrinsics from detections in images of ``size``; raises CalibrationError where fewer than 4 views make sense."""
    intrinsics = focal_by_trial(detections, points_m, size, model) if start is None else start
    camera = camera_of(intrinsics, size, model)
    poses = [board_pose(camera, detection, points_m) for detection in detections]
    used = np.array([index for index, pose in enumerate(poses) if pose is not None], dtype=np.intp)
    if len(used) < LEAST_VIEWS:
        raise CalibrationError(
            f"the corners of {len(used)} views alone make sense: is the board's type and size as stated?"
        )
    found = [pose for pose in poses if pose is not None]
    state = BundleState(
        (intrinsics,),
        (),
        np.stack([pose.rotation for pose in found]),
        np.stack([pose.translation_m for pose in found]),
    )
    corners = (Corners.of([detections[index] for index in used], points_m),)
    state, sigma_px = solve_robustly(corners, state, model)
    return SingleCamera(state.intrinsics[0], used, state, sigma_px)


def solve_robustly(
    corners: tuple[Corners, ...], state: BundleState, model: DistortionModel
) -> tuple[BundleState, float]:
    """Robust least squares in rounds whose loss tightens with the residuals; the state and its sigma in px."""
    sigma = robust_sigma_px(BundleAdjustment(model, corners).residuals(state))
    for _ in range(ROUNDS):
        state = BundleAdjustment(model, corners, max(3 * sigma, LEAST_LOSS_PX)).solve(state)
        previous, sigma = sigma, robust_sigma_px(BundleAdjustment(model, corners).residuals(state))
        if sigma > 0.9 * previous:
            break
    return state, sigma


def robust_sigma_px(residuals: Sequence[FloatArray]) -> float:
    """Robust sigma (MAD) of one coordinate over all cameras' residuals (N, 2)."""
    return PLAIN_SCALE * float(np.median(np.abs(np.concatenate([residual.ravel() for residual in residuals]))))


def as_rational(plumb_bob: FloatArray) -> FloatArray:
    """Intrinsics of the rational model for the same lens."""
    return np.concatenate([plumb_bob, np.zeros(PINHOLE + COEFFICIENTS["rational_polynomial"] - len(plumb_bob))])


LENSES: dict[str, DistortionModel] = {
    "plumb_bob": "plumb_bob",
    "rational": "rational_polynomial",
    "fisheye": "equidistant",
}
"""Names on the command line; auto takes the simplest that fits about as well as the best."""

CLEARLY_BETTER = 0.93


def solve_single_cameras(
    views: Sequence[PairView] | Sequence[SoloView], board: Board, size: Size, lens: str
) -> tuple[DistortionModel, tuple[SingleCamera, ...], dict[str, float]]:
    """The distortion model chosen, each camera solved with it, and the robust sigma (px) that each model left."""
    chosen = LENSES.items() if lens == "auto" else [(lens, LENSES[lens])]
    solved: dict[str, tuple[SingleCamera, ...]] = {}
    for name, model in chosen:
        starts = (
            [as_rational(camera.intrinsics) for camera in solved.get("plumb_bob", ())] if name == "rational" else []
        )
        if name == "rational" and not starts:
            starts = [as_rational(camera.intrinsics) for camera in _single_cameras(views, board, size, "plumb_bob", [])]
        solved[name] = _single_cameras(views, board, size, model, starts)
    tried = {name: float(np.mean([camera.sigma_px for camera in cameras])) for name, cameras in solved.items()}
    best = _simplest(tried)
    return LENSES[best], solved[best], tried


def _single_cameras(
    views: Sequence[PairView] | Sequence[SoloView],
    board: Board,
    size: Size,
    model: DistortionModel,
    starts: list[FloatArray],
) -> tuple[SingleCamera, ...]:
    return tuple(
        solve_single_camera(
            [view.sides()[side] for view in views], board.points_m, size, model, starts[side] if starts else None
        )
        for side in range(len(views[0].sides()))
    )


def _simplest(tried: dict[str, float]) -> str:
    """From the simplest model on, take another only where its sigma is clearly smaller."""
    order = [name for name in ("plumb_bob", "fisheye", "rational") if name in tried]
    best = order[0]
    for name in order[1:]:
        if tried[name] < CLEARLY_BETTER * tried[best]:
            best = name
    return best
