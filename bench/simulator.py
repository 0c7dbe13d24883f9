"""How many stereo frames per second the simulated camera makes on one core, by process time."""

from __future__ import annotations

import argparse
import time
from itertools import islice

import cv2

from roma_device.app.cameras import open_camera
from roma_device.app.simulation.worlds.catalogue import SCENES


def frames_per_second(spec: str, frames: int) -> float:
    """Rate after one frame of warming up; truth is not computed."""
    with open_camera(spec) as camera:
        source = camera.frames()
        next(source)
        start = time.process_time()
        taken = sum(1 for _ in islice(source, frames))
        return taken / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", default="640x400")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for scene in SCENES:
        rate = frames_per_second(f"simulated:{scene}?size={arguments.size}", arguments.frames)
        print(f"{scene:8} {arguments.size:>9}  {rate:6.1f} stereo frames/s")


if __name__ == "__main__":
    main()
