"""Depth of one pair of images: rectified ones with focal length and baseline, or raw ones with a calibration."""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import numpy.typing as npt

from roma_device import DepthFrame, StereoDepth


def read(path: str) -> npt.NDArray[np.uint8]:
    image = cv2.imread(path)
    if image is None:
        raise SystemExit(f"{path} is no image that OpenCV can read")
    return np.asarray(image, np.uint8)


def depth_of_files(options: argparse.Namespace) -> DepthFrame:
    left, right = read(options.left), read(options.right)
    return StereoDepth.from_pair(left, right, calibration=options.calibration)


def depth_of_simulation() -> DepthFrame:
    with StereoDepth("simulated:room") as stereo:
        return next(stereo)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--left", help="image file; without it a frame of the simulated rig")
    parser.add_argument("--right")
    parser.add_argument("--calibration", help="file of any format that roma-device reads")
    options = parser.parse_args()
    frame = depth_of_files(options) if options.left else depth_of_simulation()
    height, width = frame.depth_m.shape
    print(f"{width}x{height} px, {frame.known.mean():.0%} known, median depth {np.nanmedian(frame.depth_m):.2f} m")
    print(f"centre: {frame.depth_m[height // 2, width // 2]:.2f} m")


if __name__ == "__main__":
    main()
