"""Relative poses of simulated pairs: accuracy, and whether the covariance tells the truth.

    .venv/bin/python bench/relative_pose.py [--pairs 200]

Baselines from 2 to 40 % of the depth, noise from 0.25 to 1 px, 10 to 50 % of the matches wrong, 500 matches, 640x480
px. NEES is the error squared in units of its covariance: five on average, if that is right.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from roma_device.app.evaluate.pose.evaluate import magsac_pose
from roma_device.app.evaluate.pose.report import Auc, pose_error_deg
from roma_device.app.simulation.two_views import TwoViewSpec, simulate_two_views
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose
from roma_device.runtime.relative_pose.motion import TwoViewMotion


def spec_of(number: int, pairs: int) -> TwoViewSpec:
    """Baselines rise evenly; noise and outliers go through their ranges several times."""
    share = number / max(pairs - 1, 1)
    return TwoViewSpec(
        baseline=0.02 + 0.38 * share, noise_px=0.25 + 0.25 * (number % 4), outliers=0.1 + 0.1 * (number % 5)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    pairs = parser.parse_args().pairs
    ours, plain, squares, states = [], [], [], []
    for number in range(pairs):
        views = simulate_two_views(spec_of(number, pairs), number)
        found = estimate_relative_pose(views.pairs, views.camera, views.camera)
        states.append(found.state)
        ours.append(pose_error_deg(found.b_from_a, views.b_from_a))
        plain.append(pose_error_deg(magsac_pose(views.pairs, views.camera, views.camera), views.b_from_a))
        if found.b_from_a is not None and found.covariance is not None and found.has_direction:
            truth = views.b_from_a.translation_m / np.linalg.norm(views.b_from_a.translation_m)
            error = TwoViewMotion(found.b_from_a.rotation, found.b_from_a.translation_m).difference(
                TwoViewMotion(views.b_from_a.rotation, truth)
            )
            squares.append(float(error @ np.linalg.solve(found.covariance, error)))
    half = 1.96 * np.sqrt(2 * 5 / len(squares))
    report = {
        "pairs": pairs,
        "states": {state: states.count(state) for state in sorted(set(states))},
        "ours": Auc.of(ours).as_json(),
        "opencv_magsac": Auc.of(plain).as_json(),
        "median_error_deg": round(float(np.median(ours)), 3),
        "nees_mean": round(float(np.mean(squares)), 3),
        "nees_band_95": [round(5 - half, 3), round(5 + half, 3)],
        "nees_inside_95": round(float(np.mean(np.array(squares) <= 11.07)), 3),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
