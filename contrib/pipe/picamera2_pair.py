"""Two CSI cameras of a Raspberry Pi 5 as producers of ``--camera pipe:SOCKET``: luma planes of YUV420.

    python3 picamera2_pair.py /run/roma-device/camera.sock --size 640x400 --fps 30

Has not run on a board. The cameras run freely unless they are wired for external triggering; libcamera's
SensorTimestamp is the start of exposure on CLOCK_BOOTTIME, which is carried over to CLOCK_MONOTONIC.
"""

import argparse
import threading
import time

from picamera2 import Picamera2
from roma_pipe import RomaPipe


def feed(path, side, camera, size, fps):
    width, height = size
    period_us = int(1e6 / fps)
    configuration = camera.create_video_configuration(
        main={"size": size, "format": "YUV420"}, controls={"FrameDurationLimits": (period_us, period_us)}
    )
    camera.configure(configuration)
    stride = camera.stream_configuration("main")["stride"]
    camera.start()
    sequence = 0
    with RomaPipe(path, f"CSI camera {side}", 4, stride * height) as pipe:
        while True:
            request = camera.capture_request()
            try:
                stamp_ns = request.get_metadata()["SensorTimestamp"]
                to_monotonic_ns = time.monotonic_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
                slot = pipe.slot()
                if slot is not None:
                    luma = request.make_buffer("main")[: stride * height]
                    slot.view[:] = memoryview(luma)
                    # YUV420 has NV12's luma plane, and nothing else is read.
                    pipe.send(slot, side, sequence, stamp_ns + to_monotonic_ns, width, height, stride, "NV12")
            finally:
                request.release()
            sequence += 1


def main():
    parser = argparse.ArgumentParser(description="Two CSI cameras to roma-device.")
    parser.add_argument("socket")
    parser.add_argument("--size", default="640x400")
    parser.add_argument("--fps", type=float, default=30)
    arguments = parser.parse_args()
    size = tuple(int(side) for side in arguments.size.split("x"))
    threads = [
        threading.Thread(target=feed, args=(arguments.socket, side, Picamera2(side), size, arguments.fps))
        for side in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
