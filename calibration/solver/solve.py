"""Calibration of one camera or a pair: corners of many views -> intrinsics, extrinsics and a list of outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from roma_device.calibration.arrays import Size
from roma_device.calibration.boards.board import Board
from roma_device.calibration.camera import CameraModel, DistortionModel
from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.pose import Pose

from .initial import cameras_of, consensus_pose, poses_in, stereo_state
from .lens import camera_of
from .observations import LEAST_CORNERS, PairView, SoloView
from .outliers import DroppedView
from .single_camera import SingleCamera, solve_single_cameras
from .solution import LEAST_VIEWS, BaseSolution, require_enough, solve_without_outliers


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


@dataclass(frozen=True, slots=True, eq=False)
class StereoSolution(BaseSolution):
    """Solution of a stereo rig with all that a report needs."""

    views: tuple[PairView, ...]

    @property
    def cameras(self) -> tuple[CameraModel, CameraModel]:
        return cameras_of(self.state.intrinsics, self.size, self.model)

    @property
    def right_from_left(self) -> Pose:
        return self.state.from_first[0]


def solve_rig(views: Sequence[PairView], board: Board, size: Size, lens: str = "auto") -> StereoSolution:
    """Solve intrinsics and extrinsics of the rig whose images have ``size``.

    Each camera alone first, then the pair; then views and corners that do not fit are dropped, and the rest
    is solved by plain least squares. Raises CalibrationError where too few pairs fit each other.
    """
    usable, dropped = _with_enough_corners(views)
    require_enough(usable, dropped, len(views), "pairs")
    model, single_cameras, tried = solve_single_cameras(usable, board, size, lens)
    solution = _solve_stereo(usable, board, size, model, single_cameras, dropped)
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


def _solve_stereo(
    views: Sequence[PairView],
    board: Board,
    size: Size,
    model: DistortionModel,
    single_cameras: tuple[SingleCamera, ...],
    dropped: list[DroppedView],
) -> StereoSolution:
    intrinsics = single_cameras[0].intrinsics, single_cameras[1].intrinsics
    cameras = cameras_of(intrinsics, size, model)
    pose, agree, left = consensus_pose(cameras, views, board.points_m)
    moved = "left and right image do not agree on where the board is: it moved between them, or corners are false"
    dropped = dropped + [
        DroppedView(view.name, moved) for view, fits in zip(views, agree.tolist(), strict=True) if not fits
    ]
    kept = [view for view, fits in zip(views, agree.tolist(), strict=True) if fits]
    poses = [own for own, fits in zip(left, agree.tolist(), strict=True) if fits and own is not None]
    if pose is None or len(kept) < LEAST_VIEWS:
        raise _disagreement(cameras, views, board, len(kept))
    refined = solve_without_outliers(
        kept, board.points_m, model, stereo_state(intrinsics, pose, poses), dropped, "pairs"
    )
    return StereoSolution(board, model, size, *refined)


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
