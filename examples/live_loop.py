"""Nearest obstacle of every frame of a live camera, until Ctrl-C."""

from __future__ import annotations

import argparse

import numpy as np

from roma_device import StereoDepth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--camera", default="simulated:street", help="such as v4l2:LEFT,RIGHT")
    parser.add_argument("--calibration", help="file of the rig; the simulated one brings its own")
    parser.add_argument("--frames", type=int, default=5)
    options = parser.parse_args()
    with StereoDepth(options.camera, calibration=options.calibration, frames=options.frames) as stereo:
        for frame in stereo:
            nearest_m = np.nanpercentile(frame.depth_m, 1)
            print(f"frame {frame.index}: nearest {nearest_m:.2f} m, {sum(frame.times_ms.values()):.0f} ms")


if __name__ == "__main__":
    main()
