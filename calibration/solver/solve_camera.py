"""Calibration of one camera: corners of many images -> intrinsics, with a list of the outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roma_device.calibration.boards.board import Board
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.size import Size

from .lens import camera_of
from .lens_choice import solve_single_cameras
from .observations import LEAST_CORNERS, SoloView
from .outliers import DroppedView
from .solution import BaseSolution, require_enough, solve_without_outliers


@dataclass(frozen=True, slots=True, eq=False)
class CameraSolution(BaseSolution):
    """Solution of a single camera with all that a report needs."""

    views: tuple[SoloView, ...]

    @property
    def camera(self) -> CameraModel:
        return camera_of(self.state.intrinsics[0], self.size, self.model)


def solve_camera(views: Sequence[SoloView], board: Board, size: Size, lens: str = "auto") -> CameraSolution:
    """Solve the intrinsics of the camera whose images have ``size``, as ``solve_rig`` does for a pair.

    Raises CalibrationError where too few images fit each other.
    """
    usable = [view for view in views if len(view.seen.ids) >= LEAST_CORNERS]
    few = [view for view in views if len(view.seen.ids) < LEAST_CORNERS]
    dropped = [DroppedView(view.name, f"only {len(view.seen.ids)} corners are seen") for view in few]
    require_enough(usable, dropped, len(views), "images")
    model, (camera,), tried = solve_single_cameras(usable, board, size, lens)
    without_pose = [view for index, view in enumerate(usable) if index not in camera.used]
    senseless = "its corners make no sense: they are false, or seen askew"
    dropped += [DroppedView(view.name, senseless) for view in without_pose]
    with_pose = [usable[index] for index in camera.used]
    refined = solve_without_outliers(with_pose, board.points_m, model, camera.state, dropped, "images")
    return CameraSolution(board, model, size, *refined, tried)
