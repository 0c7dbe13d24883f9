"""A camera of one's own: a class with ``frames``, here of random dots, named like the built-in ones."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

from roma_device import Camera, Frame, StereoDepth, StereoFrame, register_camera


class NoiseCamera(Camera):
    """Random dots, the right image shifted by 12 px: a wall at one distance."""

    def __init__(self, frames: int) -> None:
        self._frames = frames

    @classmethod
    def from_spec(cls, argument: str) -> NoiseCamera:
        return cls(int(argument or 3))

    def frames(self) -> Iterator[StereoFrame]:
        for sequence in range(self._frames):
            left = np.random.default_rng(sequence).integers(0, 256, (240, 320), np.uint8)
            right = np.roll(left, -12, axis=1)
            stamp = time.monotonic_ns()
            yield StereoFrame(Frame(left, stamp, sequence), Frame(right, stamp, sequence))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=3)
    options = parser.parse_args()
    register_camera("noise", NoiseCamera)  # not needed for the object itself: StereoDepth(NoiseCamera(3), ...)
    with StereoDepth(f"noise:{options.frames}", focal_px=300, baseline_m=0.1) as stereo:
        for frame in stereo:
            disparity_px, depth_m = np.nanmedian(frame.disparity_px), np.nanmedian(frame.depth_m)
            print(f"frame {frame.index}: {disparity_px:.1f} px, {depth_m:.2f} m")


if __name__ == "__main__":
    main()
