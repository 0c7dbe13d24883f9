"""Real calibration sets: our solution beside OpenCV's on the same corners, and the references that were published.

python -m bench.calibration_sets FOLDER/calibration.json

OpenCV's is that of its stereo sample with intrinsics first: calibrateCamera for each camera, then stereoCalibrate with
the intrinsics fixed. Rows: RMS difference of the rectified rows over the corners of all pairs that both kept.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from roma_device.app.calibrate.from_images import sightings_in
from roma_device.calibration.boards import Board, parse_board
from roma_device.calibration.camera import CameraModel
from roma_device.calibration.pose import Pose
from roma_device.calibration.quality.epipolar import pair_errors, rms
from roma_device.calibration.quality.report import make_report
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.solve import Solution, solve_rig

BOARDS = {
    "opencv_leftright": "chessboard:9x6:25mm",
    "boofcv_bumblebee2_chess": "chessboard:6x4:30mm",
    "boofcv_bumblebee2_square": "squares:3x4:30mm:30mm",
    "sourishg_stereo": "chessboard:9x6:24.23mm",
    "sourishg_fisheye": "chessboard:9x6:24.23mm",
}


def opencv_solution(solution: Solution, board: Board) -> tuple[StereoCalibration, float] | str:
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


def main() -> None:
    index = Path(sys.argv[1])
    for entry in json.loads(index.read_text())["sets"]:
        if entry["id"] not in BOARDS:
            print(f"{entry['id']}: left out, not a stereo set of a board that we know")
            continue
        show(entry, index.parent)


def show(entry: dict[str, Any], folder: Path) -> None:
    """Solve one set and print the comparison."""
    board = parse_board(BOARDS[entry["id"]])
    sightings = sightings_in(str(folder / entry["dir"]), board)
    solution = solve_rig(sightings.views, board, sightings.size)
    report = make_report(solution)
    left = report.calibration.left
    print(f"{entry['id']}: {solution.model}, {len(solution.views)} of {len(sightings.views)} pairs, {report.verdict}")
    print(f"  ours    RMS {solution.rms_px():.4f} px, rows {rms([one.vertical_px for one in report.fitted]):.4f} px")
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


if __name__ == "__main__":
    main()
