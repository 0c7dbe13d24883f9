"""Two producers through ``pipe:``: copies of an image, and its age when the loop gets it.

    python -m bench.pipe                  # 60 frames per second, 640x400 NV12, for 20 s, on one core
    python -m bench.pipe --seconds 60 --fps 30 --size 1280x800

Producers are processes of their own that stamp an image when they begin to write it; ages are taken by the loop, behind
the capture thread and its mailbox.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np

from roma_device.app.cameras.pipe.camera import PipeCamera
from roma_device.app.cameras.source import open_source

ROOT = Path(__file__).parent.parent


class CountedReads:
    """``os.preadv`` that counts bytes: all that is copied out of the shared memory."""

    def __init__(self) -> None:
        self.total = 0
        self._read = os.preadv

    def __call__(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        count = self._read(descriptor, buffers, offset)
        self.total += count
        return count


def producers(path: str, fps: float, size: str) -> list[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "bench.pipe", "--produce", path, "--fps", str(fps), "--size", size]
    return [subprocess.Popen([*words, "--side", str(side)], cwd=ROOT) for side in (0, 1)]


def produce(path: str, side: int, fps: float, size: str) -> None:
    """Images of noise, a new one for each frame, written into the slot as a sensor's driver would."""
    from tests.app.cameras.pipe.feeder import client

    width, height = map(int, size.split("x"))
    whole = np.random.default_rng(side).integers(0, 256, (16, width * height * 3 // 2), np.uint8)
    period_ns, sequence = round(1e9 / fps), 0
    with client().RomaPipe(path, "bench", 6, whole.shape[1]) as pipe:
        while True:
            time.sleep((period_ns - time.monotonic_ns() % period_ns) / 1e9)
            stamp_ns = time.monotonic_ns()
            if (slot := pipe.slot()) is not None:
                np.asarray(slot.view)[:] = whole[sequence % len(whole)]
                pipe.send(slot, side, sequence, stamp_ns, width, height, width, "NV12")
            sequence += 1


def measure(fps: float, size: str, seconds: float) -> dict[str, object]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # producers inherit it: one core for all
    reads = CountedReads()
    with tempfile.TemporaryDirectory() as folder, patch("os.preadv", reads):
        path = f"{folder}/socket"
        camera = PipeCamera.from_spec(f"{path}?wait_s=120")
        started = producers(path, fps, size)
        try:
            return _measured(camera, seconds, reads)
        finally:
            for process in started:
                process.kill()
                process.wait()


def _measured(camera: PipeCamera, seconds: float, reads: CountedReads) -> dict[str, object]:
    ages_ms: list[float] = []
    image_bytes = 0
    stop = threading.Event()
    with camera, open_source(camera, stop) as source:
        for frame in source.frames():
            now_ns = time.monotonic_ns()
            if not ages_ms:
                end_ns, cpu_s = now_ns + round(1e9 * seconds), time.process_time()
                reads.total, before = 0, camera.counts.pairs
            ages_ms.append((now_ns - max(frame.left.timestamp_ns, frame.right.timestamp_ns)) / 1e6)
            image_bytes = frame.left.image.nbytes
            if now_ns > end_ns:
                stop.set()
                break
        cpu_share = (time.process_time() - cpu_s) / seconds
        copied, captured = reads.total, camera.counts.pairs - before
    return {
        "pairs": len(ages_ms),
        "fps": round(len(ages_ms) / seconds, 2),
        "median_age_ms": round(float(np.median(ages_ms)), 3),
        "p99_age_ms": round(float(np.percentile(ages_ms, 99)), 3),
        "copies_per_image": round(copied / (2 * image_bytes * captured), 3),
        "cpu_share": round(cpu_share, 3),
        "dropped": {reason: count for reason, count in camera.counts.dropped.items() if count},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--fps", type=float, default=60)
    parser.add_argument("--size", default="640x400")
    parser.add_argument("--produce", help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.produce:
        produce(arguments.produce, arguments.side, arguments.fps, arguments.size)
    else:
        print(json.dumps(measure(arguments.fps, arguments.size, arguments.seconds)))


if __name__ == "__main__":
    main()
