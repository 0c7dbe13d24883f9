"""Closed loop: calibrate simulated rigs from rendered images and compare with the truth.

python -m bench.calibration_loop [--seeds 5] [--pairs 20] [--board chessboard:9x6:30mm]

For every lens and seed: errors of focal length, baseline, rotation and principal point, whether each true value
lies in its 95 % interval, the median difference of rows in pairs left out, and what becomes of a fifth of the views
when it is spoiled (the board moved between the cameras, false corners).
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.app.cameras.simulated import SimulatedCamera
from roma_device.app.simulation.worlds.rigs import LENSES
from roma_device.calibration.boards import Board, Detection, parse_board
from roma_device.calibration.guided.detection_gate import see_pair
from roma_device.calibration.quality.report import QualityReport, make_report
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.solver.observations import PairView
from roma_device.calibration.solver.solve import solve_rig
from roma_device.runtime.grey import grey

SIZE = (640, 400)
MOST_FRAMES = 85


@dataclass(frozen=True)
class Outcome:
    """Errors of one run against the truth."""

    focal_percent: float
    baseline_percent: float
    rotation_deg: float
    centre_px: float
    covered: dict[str, bool]  # quantity -> is the truth in its interval


def seen_views(lens: str, seed: int, pairs: int, board: Board) -> tuple[list[PairView], StereoCalibration]:
    """The first views of a tour past the board in which both cameras see it, and the true rig."""
    spec = f"board?size={SIZE[0]}x{SIZE[1]}&fps=2&lens={lens}&seed={seed}&rig={seed + 1}&board={board.spec}"
    views: list[PairView] = []
    with SimulatedCamera.from_spec(f"{spec}&frames={MOST_FRAMES}") as camera:
        for frame in camera.frames():
            view = see_pair(board, f"{frame.left.sequence:03}", grey(frame.left.image), grey(frame.right.image))
            if isinstance(view, PairView):
                views.append(view)
            if len(views) == pairs:
                break
        return views, camera.calibration


def outcome(report: QualityReport, truth: StereoCalibration) -> Outcome:
    """Greatest error of each kind over both cameras."""
    found = report.calibration
    turn = cv2.Rodrigues(found.right_from_left.rotation @ truth.right_from_left.rotation.T)[0]
    focal, centre = [], []
    for one, true in ((found.left, truth.left), (found.right, truth.right)):
        focal += [abs(one.fx / true.fx - 1), abs(one.fy / true.fy - 1)]
        centre += [abs(one.cx - true.cx), abs(one.cy - true.cy)]
    true_values = _true_values(truth)
    covered = {name: abs(one.value - true_values[name]) <= one.margin for name, one in report.estimates.items()}
    return Outcome(
        100 * max(focal),
        100 * abs(found.baseline_m / truth.baseline_m - 1),
        float(np.rad2deg(np.linalg.norm(turn))),
        max(centre),
        covered,
    )


def _true_values(truth: StereoCalibration) -> dict[str, float]:
    values = {
        f"{side}_{name}": getattr(camera, name)
        for side, camera in (("left", truth.left), ("right", truth.right))
        for name in ("fx", "fy", "cx", "cy")
    }
    angles = np.rad2deg(truth.right_from_left.rotation_vector)
    return {**values, "baseline": 1000 * truth.baseline_m, **dict(zip(("pitch", "yaw", "roll"), angles, strict=True))}


def spoiled(views: list[PairView], seed: int) -> tuple[list[PairView], set[str]]:
    """A fifth of the views made false, in turn by a board that moved and by corners in wrong places."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(views), len(views) // 5, replace=False)
    changed = list(views)
    for turn, index in enumerate(chosen.tolist()):
        changed[index] = _moved(views[index], rng) if turn % 2 else _false_corners(views[index], rng)
    return changed, {views[index].name for index in chosen.tolist()}


def _moved(view: PairView, rng: np.random.Generator) -> PairView:
    """The board some pixels on, a little turned, when the right camera looked."""
    pixels = view.right.pixels
    middle, angle = pixels.mean(axis=0), np.deg2rad(rng.uniform(0.5, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (pixels - middle) @ turn.T + middle + rng.uniform(2, 8, 2) * rng.choice([-1, 1], 2)
    return PairView(view.name, view.left, Detection(view.right.ids, moved))


def _false_corners(view: PairView, rng: np.random.Generator) -> PairView:
    """Half of the left corners are 3 to 15 px off, in any direction."""
    pixels: npt.NDArray[np.float64] = view.left.pixels.copy()
    false = rng.choice(len(pixels), len(pixels) // 2, replace=False)
    angle = rng.uniform(0, 2 * np.pi, len(false))
    pixels[false] += rng.uniform(3, 15, len(false))[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return PairView(view.name, Detection(view.left.ids, pixels), view.right)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--board", default="chessboard:9x6:30mm")
    options = parser.parse_args()
    board, hits, runs = parse_board(options.board), Counter[str](), 0
    print("lens       seed  focal %  base %  rot deg  pp px   rows px  spoiled found  rest lost  verdict")
    for lens in LENSES:
        for seed in range(options.seeds):
            views, truth = seen_views(lens, seed, options.pairs, board)
            report = make_report(solve_rig(views, board, SIZE, lens))
            result = outcome(report, truth)
            median_px = float(np.median(np.abs(np.concatenate([e.vertical_px for e in report.held_out]))))
            changed, names = spoiled(views, seed)
            dropped = {one.name for one in solve_rig(changed, board, SIZE, lens).dropped_views}
            hits.update(name for name, inside in result.covered.items() if inside)
            runs += 1
            print(
                f"{lens:10} {seed:4} {result.focal_percent:8.3f} {result.baseline_percent:7.3f} "
                f"{result.rotation_deg:8.4f} {result.centre_px:6.2f} {median_px:9.3f} "
                f"{len(dropped & names):8} of {len(names)} {len(dropped - names):10}  {report.verdict}",
                flush=True,
            )
    print(f"truth inside the 95 % interval, of {runs} runs:")
    print("  " + ", ".join(f"{name} {count}" for name, count in hits.items()))


if __name__ == "__main__":
    main()
