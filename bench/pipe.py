"""Two producers through ``pipe:``: copies of an image, and its age when the loop gets it.

    python -m bench.pipe                  # 60 frames per second, 640x400 NV12, for 20 s, on one core
    python -m bench.pipe --seconds 60 --fps 30 --size 1280x800
    python -m bench.pipe --faults         # one is killed and started again, one is stopped and goes on

Producers are processes of their own that stamp an image when they begin to write it; ages are taken by the loop, behind
the capture thread and its mailbox.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from loguru import logger

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


def producer(path: str, fps: float, size: str, side: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "bench.pipe", "--produce", path, "--fps", str(fps), "--size", size]
    return subprocess.Popen([*words, "--side", str(side)], cwd=ROOT)


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
        started = [producer(path, fps, size, side) for side in (0, 1)]
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


def faults(fps: float, size: str) -> dict[str, object]:
    """The left producer is killed and another one started; then the right one is stopped for 3 s."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    said: list[tuple[float, str]] = []
    logger.remove()
    logger.add(lambda text: said.append((time.monotonic(), text.strip())), level="WARNING", format="{message}")
    stamps_s: list[float] = []

    def until(count: int) -> None:
        """That many more pairs."""
        before = len(stamps_s)
        while len(stamps_s) < before + count:
            time.sleep(0.01)

    with tempfile.TemporaryDirectory() as folder, PipeCamera.from_spec(f"{folder}/socket?wait_s=120") as camera:
        path = f"{folder}/socket"
        take = threading.Thread(target=lambda: stamps_s.extend(one.left.timestamp_ns / 1e9 for one in camera.frames()))
        take.start()
        started = [producer(path, fps, size, side) for side in (0, 1)]
        try:
            until(round(3 * fps))
            killed_s = time.monotonic()
            started[0].kill()
            started.append(producer(path, fps, size, 0))
            until(round(3 * fps))
            stopped_s = time.monotonic()
            started[1].send_signal(signal.SIGSTOP)
            time.sleep(3)
            continued_s = time.monotonic()
            started[1].send_signal(signal.SIGCONT)
            until(round(3 * fps))
        finally:
            camera.stop()
            take.join()
            for process in started:
                process.kill()
                process.wait()
    return _of_faults(np.array(stamps_s), said, fps, (killed_s, stopped_s, continued_s))


def _of_faults(
    stamps_s: npt.NDArray[np.float64], said: list[tuple[float, str]], fps: float, times_s: tuple[float, float, float]
) -> dict[str, object]:
    killed_s, stopped_s, continued_s = times_s
    begins, ends = stamps_s[:-1], stamps_s[1:]
    missed = np.round((ends - begins) * fps).astype(int) - 1
    away = [(begins <= at) & (at <= ends) for at in (killed_s, stopped_s)]
    return {
        "pairs": len(stamps_s),
        "killed": {"s_without_pairs": round(float((ends - begins)[away[0]].sum()), 2)},
        "stopped": {
            "reported_after_s": round(next(at for at, text in said if "sent no frame" in text) - stopped_s, 2),
            "first_pair_after_it_goes_on_ms": round(1e3 * float(stamps_s[stamps_s > continued_s][0] - continued_s), 1),
        },
        "pairs_missed_otherwise": int(missed[~(away[0] | away[1])].sum()),
        "said": [text for _, text in said],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--fps", type=float, default=60)
    parser.add_argument("--size", default="640x400")
    parser.add_argument("--faults", action="store_true", help="what a producer's end and its pause cost")
    parser.add_argument("--produce", help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.produce:
        produce(arguments.produce, arguments.side, arguments.fps, arguments.size)
    elif arguments.faults:
        print(json.dumps(faults(arguments.fps, arguments.size), indent=1))
    else:
        print(json.dumps(measure(arguments.fps, arguments.size, arguments.seconds)))


if __name__ == "__main__":
    main()
