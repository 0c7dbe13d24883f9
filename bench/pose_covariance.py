"""Is the covariance of a relative pose right on images? Simulated rigs, whose poses are known, by matcher and scene.

    python -m bench.pose_covariance [--matchers sift two-view] [--rigs 16]

Prints the squared error in units of the covariance, which is 5 on average where the covariance is right.
"""

from __future__ import annotations

import argparse

import numpy as np

from roma_device.app.cameras import open_camera
from roma_device.app.matchers import PairMatcher, open_matcher
from roma_device.runtime.grey import grey
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose
from roma_device.runtime.relative_pose.motion import TwoViewMotion

SCENES = ("room", "boxes", "street")
FIRST_SEED = 200
CHI_SQUARE_95 = 11.07


def squared_error(matcher: PairMatcher, scene: str, seed: int) -> float | None:
    """None where no direction was found."""
    with open_camera(f"simulated:{scene}?frames=1&size=640x480&seed={seed}") as camera:
        rig, frame = camera.calibration, next(iter(camera.frames()))
    assert rig is not None
    pairs = matcher.match(grey(frame.left.image), grey(frame.right.image))
    found = estimate_relative_pose(pairs, rig.left, rig.right)
    if found.b_from_a is None or found.covariance is None or not found.has_direction:
        return None
    shift = rig.right_from_left.translation_m
    true = TwoViewMotion(rig.right_from_left.rotation, shift / np.linalg.norm(shift))
    difference = TwoViewMotion(found.b_from_a.rotation, found.b_from_a.translation_m).difference(true)
    return float(difference @ np.linalg.solve(found.covariance, difference))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matchers", nargs="+", default=["sift", "two-view"], help="as --matcher (sift two-view)")
    parser.add_argument("--rigs", type=int, default=16, help="of each scene (16)")
    arguments = parser.parse_args()
    print("matcher     scene    rigs    mean  median  within the 95 % limit")
    for name in arguments.matchers:
        matcher = open_matcher(name, NetworkOptions(threads=1))
        for scene in SCENES:
            seeds = range(FIRST_SEED, FIRST_SEED + arguments.rigs)
            every = [squared_error(matcher, scene, seed) for seed in seeds]
            errors = np.array([one for one in every if one is not None])
            inside = 100 * (errors <= CHI_SQUARE_95).mean()
            mean, median = errors.mean(), np.median(errors)
            print(f"{name:10s}  {scene:7s} {len(errors):5d} {mean:7.1f} {median:7.1f} {inside:10.0f} %")
        matcher.close()


if __name__ == "__main__":
    main()
