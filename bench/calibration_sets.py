"""Real calibration sets: our solution beside OpenCV's on the same corners, and the references that were published.

python -m bench.calibration_sets FOLDER/calibration.json

OpenCV's is that of its stereo sample with intrinsics first: calibrateCamera for each camera, then stereoCalibrate with
the intrinsics fixed. RMS and rows (difference of the rectified rows) are over the corners that
both cameras kept.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import yaml

from roma_device.app.calibrate.observations import grey_file, pair_observations
from roma_device.app.cameras.file_pairs import find_images
from roma_device.calibration.boards import Board, parse_board
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.guided.detection_gate import see_one
from roma_device.calibration.pose import Pose
from roma_device.calibration.quality.epipolar import pair_errors, rms
from roma_device.calibration.quality.report import make_report
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.observations import SoloView
from roma_device.calibration.solver.solve import CameraSolution, StereoSolution, solve_camera, solve_rig

BOARDS = {
    "opencv_leftright": "chessboard:9x6:25mm",
    "boofcv_bumblebee2_chess": "chessboard:6x4:30mm",
    "boofcv_bumblebee2_square": "squares:3x4:30mm:30mm",
    "sourishg_stereo": "chessboard:9x6:24.23mm",
    "sourishg_fisheye": "chessboard:9x6:24.23mm",
}

SINGLE = {"boofcv_fisheye_mono": "chessboard:6x4:30mm"}


def opencv_solution(solution: StereoSolution, board: Board) -> tuple[StereoCalibration, float] | str:
    """OpenCV's rig and RMS from the corners of the views that we kept, or why it gives none."""
    fisheye = solution.model == "equidistant"
    module = cv2.fisheye if fisheye else cv2
    shape = (1, -1, 3) if fisheye else (-1, 3)
    kind = np.float64 if fisheye else np.float32
    points, left, right = [], [], []
    for view in solution.views:
        ids = np.intersect1d(view.left.ids, view.right.ids, assume_unique=True)
        points.append(board.points_m[ids].reshape(shape).astype(kind))
        pixels = view.common()
        left.append(pixels[0].reshape(1, -1, 2).astype(kind))
        right.append(pixels[1].reshape(1, -1, 2).astype(kind))
    try:
        if fisheye:
            flags = getattr(cv2.fisheye, "CALIB_RECOMPUTE_EXTRINSIC", 0) or cv2.CALIB_RECOMPUTE_EXTRINSIC
            lens = [
                cv2.fisheye.calibrate(points, side, solution.size, None, None, flags=flags)[1:3]
                for side in (left, right)
            ]
        else:
            lens = [cv2.calibrateCamera(points, side, solution.size, None, None)[1:3] for side in (left, right)]
        fixed = cv2.CALIB_FIX_INTRINSIC
        found = module.stereoCalibrate(points, left, right, *lens[0], *lens[1], solution.size, flags=fixed)
    except cv2.error as error:
        return f"fails ({error.err})"
    error_px, first, first_lens, second, second_lens, rotation, shift = found[:7]
    model = solution.model if fisheye else "plumb_bob"
    cameras = [
        CameraModel(solution.size, each, lens, model) for each, lens in ((first, first_lens), (second, second_lens))
    ]
    return StereoCalibration(cameras[0], cameras[1], Pose(rotation, shift.ravel())), float(error_px)


def common_rms_px(solution: StereoSolution) -> float:
    """Our RMS over the corners that both cameras kept, which are those that OpenCV's solution takes."""
    squared = []
    for side, residuals in enumerate(solution.residuals()):
        corners = solution.corners[side]
        for index, view in enumerate(solution.views):
            own = corners.view == index
            both = np.isin(corners.ids[own], view.sides()[1 - side].ids)
            squared.append((residuals[own][both] ** 2).sum(axis=1))
    return float(np.sqrt(np.concatenate(squared).mean()))


def main() -> None:
    index = Path(sys.argv[1])
    for entry in json.loads(index.read_text())["sets"]:
        if entry["id"] in BOARDS:
            show(entry, index.parent)
        elif entry["id"] in SINGLE:
            show_single(entry, index.parent)


def show(entry: dict[str, Any], folder: Path) -> None:
    """Solve one set and print the comparison."""
    board = parse_board(BOARDS[entry["id"]])
    sightings = pair_observations(str(folder / entry["dir"]), board)
    solution = solve_rig(sightings.views, board, sightings.size)
    report = make_report(solution)
    left = report.calibration.left
    print(f"{entry['id']}: {solution.model}, {len(solution.views)} of {len(sightings.views)} pairs, {report.verdict}")
    print(
        f"  ours    RMS {common_rms_px(solution):.4f} px, rows {rms([one.vertical_px for one in report.fitted]):.4f} px"
    )
    theirs = opencv_solution(solution, board)
    if isinstance(theirs, str):
        print(f"  OpenCV  {theirs}")
    else:
        rows = rms([one.vertical_px for one in pair_errors(theirs[0], solution.views, board)])
        print(f"  OpenCV  RMS {theirs[1]:.4f} px, rows {rows:.4f} px on the same corners")
    if stored := entry.get("opencv_check"):
        print(f"  stored  RMS {stored['rms_stereo']:.4f} px, fx {stored['K1'][0]}, x {1000 * stored['T'][0]:.2f} mm")
    baseline = report.estimates["baseline"]
    print(f"  fx {left.fx:.2f} fy {left.fy:.2f} cx {left.cx:.2f} cy {left.cy:.2f}, baseline {baseline.value:.2f} mm")
    print(f"  reference: {entry['reference']}")


def single_solution(entry: dict[str, Any], folder: Path) -> CameraSolution:
    """One camera alone."""
    board = parse_board(SINGLE[entry["id"]])
    paths = find_images(str(folder / entry["dir"]))
    outcomes = [see_one(board, path.name, grey_file(path)) for path in paths]
    views = [view for view in outcomes if isinstance(view, SoloView)]
    return solve_camera(views, board, entry_size(paths[0]), "fisheye")


def entry_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file."""
    height, width = grey_file(path).shape
    return width, height


def omnidirectional_pixels(reference: Path, rays: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Where BoofCV's omnidirectional camera (Mei's model) sees directions (N, 3) of length 1: (N, 2) px."""
    document = yaml.safe_load(reference.read_text())
    pinhole, lens = document["pinhole"], document["radial_tangential"]
    flat = rays[:, :2] / (rays[:, 2:] + document["mirror_offset"])
    squared = (flat**2).sum(axis=1, keepdims=True)
    bent = flat * (1 + lens["radial"][0] * squared + lens["radial"][1] * squared**2)
    return np.asarray(bent * [pinhole["fx"], pinhole["fy"]] + [pinhole["cx"], pinhole["cy"]])


def difference_px(solution: CameraSolution, reference: Path, widest_deg: float) -> npt.NDArray[np.float64]:
    """How far (N,) our camera and the reference's see directions from each other, up to an angle from the axis."""
    angle, azimuth = np.meshgrid(np.deg2rad(np.arange(5, widest_deg + 1, 5)), np.deg2rad(np.arange(0, 360, 15)))
    out = np.sin(angle)
    rays = np.stack([out * np.cos(azimuth), out * np.sin(azimuth), np.cos(angle)], axis=-1).reshape(-1, 3)
    return np.asarray(np.linalg.norm(solution.camera.project(rays) - omnidirectional_pixels(reference, rays), axis=1))


def opencv_fisheye(solution: CameraSolution) -> str:
    """RMS of cv2.fisheye.calibrate on the corners that we kept, or why there is none.

    It has a skew as well, one number more than ours: with CALIB_FIX_SKEW it ends with an assertion on the set at hand.
    """
    points = [solution.board.points_m[view.seen.ids].reshape(1, -1, 3) for view in solution.views]
    pixels = [view.seen.pixels.reshape(1, -1, 2) for view in solution.views]
    flags = getattr(cv2.fisheye, "CALIB_RECOMPUTE_EXTRINSIC", 0) or cv2.CALIB_RECOMPUTE_EXTRINSIC
    try:
        return f"RMS {cv2.fisheye.calibrate(points, pixels, solution.size, None, None, flags=flags)[0]:.4f} px"
    except cv2.error as error:
        return f"fails ({error.err})"


def show_single(entry: dict[str, Any], folder: Path) -> None:
    """Solve a set of one camera and print the comparison."""
    solution, reference = single_solution(entry, folder), folder / entry["dir"] / entry["reference"]
    camera, apart_px = solution.camera, difference_px(solution, reference, 80)
    print(f"{entry['id']}: {solution.model}, {len(solution.views)} of {entry['images']} images")
    print(f"  ours    RMS {solution.rms_px():.4f} px, fx {camera.fx:.2f} cx {camera.cx:.2f} cy {camera.cy:.2f}")
    print(f"  OpenCV  {opencv_fisheye(solution)} on the same corners")
    print(
        f"  reference sees directions up to 80 degrees {np.median(apart_px):.2f} px (median), {apart_px.max():.2f} px "
        "(at most) from where ours does"
    )


if __name__ == "__main__":
    main()
