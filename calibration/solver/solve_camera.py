"""Corners of many images of one camera -> its lens, with a list of what did not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roma_device.calibration.boards.board import Board
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.size import Size

from .lens import camera_of
from .lens_choice import solve_singles
from .observations import LEAST_CORNERS, SoloView
from .outliers import DroppedView
from .solution import Solved, refine, require_enough


@dataclass(frozen=True, slots=True, eq=False)
class CameraSolution(Solved):
    """A solved camera with all that a report needs."""

    views: tuple[SoloView, ...]

    @property
    def camera(self) -> CameraModel:
        return camera_of(self.state.intrinsics[0], self.size, self.model)


def solve_camera(views: Sequence[SoloView], board: Board, size: Size, lens: str = "auto") -> CameraSolution:
    """Solve the camera whose images have ``size``, as ``solve_rig`` does for a pair.

    Raises CalibrationError where too few images fit each other.
    """
    usable = [view for view in views if len(view.seen.ids) >= LEAST_CORNERS]
    few = [view for view in views if len(view.seen.ids) < LEAST_CORNERS]
    dropped = [DroppedView(view.name, f"only {len(view.seen.ids)} corners are seen") for view in few]
    require_enough(usable, dropped, len(views), "images")
    model, (single,), tried = solve_singles(usable, board, size, lens)
    unposed = [view for index, view in enumerate(usable) if index not in single.used]
    dropped += [DroppedView(view.name, "its corners make no sense: they are false, or seen askew") for view in unposed]
    posed = [usable[index] for index in single.used]
    refined = refine(posed, board.points_m, model, single.state, dropped, "images")
    return CameraSolution(board, model, size, *refined, tried)
