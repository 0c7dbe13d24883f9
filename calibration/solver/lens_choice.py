"""Choice of the distortion model: each camera is solved alone with all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roma_device.calibration.arrays import FloatArray
from roma_device.calibration.boards.board import Board
from roma_device.calibration.camera import DistortionModel
from roma_device.calibration.size import Size

from .observations import PairView, SoloView
from .single_camera import SingleCamera, as_rational, solve_single_camera

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
