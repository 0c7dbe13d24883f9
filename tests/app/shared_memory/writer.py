"""Publishes frames whose every pixel says which frame it is of: ``writer NAME COUNT [SECONDS_BETWEEN [READERS]]``.

Where READERS are named, the count begins once so many read.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from roma_device.app.shared_memory.publisher import SharedMemoryPublisher
from roma_device.calibration.arrays import Size
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.rectified_images import RectifiedImages
from roma_device.runtime.types import DepthMap, Frame, Matches, Result, StageTimes, StereoFrame

SIZE = Size(64, 48)


def made(index: int, size: Size = SIZE) -> Result:
    shape = (size[1], size[0])
    left = np.full(shape, index % 256, np.uint8)
    depth_m, certainty = np.full(shape, index % 60000, np.float32), np.ones(shape, np.float32)
    frame = Frame(left, index * 1000, index)
    return Result(
        frame=StereoFrame(frame, frame),
        index=index,
        matches=Matches(certainty, certainty),
        valid=certainty > 0,
        rig=RectifiedRig(size, 40.0, 0.1, 31.5, 23.5),
        depth=DepthMap(depth_m, certainty, index * 1000),
        images=RectifiedImages(left, left),
        times=StageTimes({"run": 1.0}),
    )


def main(name: str, count: str, between_s: str = "0", readers: str = "0") -> None:
    with SharedMemoryPublisher(name) as publisher:
        print("ready", flush=True)
        sys.stdin.readline()  # the readers are there
        assert publisher._writer is not None
        while len(publisher._writer._server._readers) < int(readers):
            publisher.write(made(0))
            publisher.flush()
            time.sleep(0.001)
        for index in range(int(count)):
            publisher.write(made(index))
            publisher.flush()  # every frame, however fast they come
            time.sleep(float(between_s))


if __name__ == "__main__":
    main(*sys.argv[1:])
