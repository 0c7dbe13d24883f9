"""Visual odometry: where the rig is, frame by frame, with what is known of the error."""

from __future__ import annotations

import argparse

import numpy as np

from roma_device import StereoDepth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--camera", default="simulated:room?fps=10")
    parser.add_argument("--calibration")
    parser.add_argument("--frames", type=int, default=10)
    options = parser.parse_args()
    chosen = {"calibration": options.calibration, "frames": options.frames, "task": "pose"}
    with StereoDepth(options.camera, **chosen) as stereo:
        for frame in stereo:
            pose = frame.pose
            if pose is None or pose.odom_from_camera is None or pose.covariance is None:
                print(f"{frame.index}: lost, {', '.join(pose.reasons) if pose else 'no pose'}")
                continue
            x, y, z = pose.odom_from_camera.translation_m
            sigma_mm = 1000 * np.sqrt(np.diag(pose.covariance)[:3]).max()
            print(f"{frame.index}: {pose.state} {x:+.3f} {y:+.3f} {z:+.3f} m, sigma {sigma_mm:.1f} mm")


if __name__ == "__main__":
    main()
