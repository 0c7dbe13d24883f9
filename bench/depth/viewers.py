"""The loop with viewers of the live page: ``python -m bench.depth.viewers [--blocks 8] [--frames 40]``.

A live camera over a kernel of our own, the bundled network, and blocks of frames in turn without viewers and with two:
one that reads all of the stream, and one that never reads. Printed are median and 95th percentile of the time from the
camera's stamp to the result, and how many pictures were encoded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from bench.live import live_camera
from roma_device.app.cameras.source import open_source
from roma_device.app.model_store import find_model
from roma_device.app.run.from_settings import build_pipelines, rectifications
from roma_device.app.run.loop import run_frames
from roma_device.app.service.live_stats import LiveStats
from roma_device.app.settings.settings import PageSettings, Settings
from roma_device.app.sinks.sink_set import SinkSet
from roma_device.app.view.live_view import LiveView

SETTLING = 6
"""Frames of a block that do not count: viewers start meanwhile."""

VIEWER = """
import socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"GET /stream.mjpg HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
while sys.argv[2] == "stalls":
    time.sleep(60)
while connection.recv(1 << 16):
    pass
"""


@contextmanager
def viewers(port: int) -> Iterator[None]:
    """One that reads and one that stalls, in processes of their own."""
    words = [[sys.executable, "-c", VIEWER, str(port), kind] for kind in ("reads", "stalls")]
    running = [subprocess.Popen(each) for each in words]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measured(blocks: int, frames: int, fps: float) -> tuple[list[float], list[float], list[int]]:
    """Latencies (ms) without and with viewers, and how many pictures each block had encoded."""
    settings = Settings(threads=1)
    latencies: tuple[list[float], list[float]] = ([], [])
    encoded = [0]
    with live_camera((640, 320), fps) as (camera, _), LiveView(PageSettings(listen="127.0.0.1:0"), dict) as view:
        source = open_source(camera, threading.Event())
        figures = LiveStats(source)
        pipelines = build_pipelines(settings, find_model(settings.model), rectifications(settings, camera))
        results = run_frames(source, pipelines, SinkSet({}), (blocks + 1) * frames)
        for block in range(-1, blocks):
            with viewers(view.web.port) if block % 2 == 1 else threading.Lock():
                for number in range(frames):
                    result = next(results)
                    view.observe(result)
                    one = figures.add(result)
                    if block >= 0 and number >= SETTLING:
                        latencies[block % 2].append(one.latency_ms or 0.0)
            encoded.append(view.pages.encoder.encoded)
        results.close()  # type: ignore[attr-defined]
    return *latencies, [int(count) for count in np.diff(encoded)[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--fps", type=float, default=5.0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    alone, watched, encoded = measured(options.blocks, options.frames, options.fps)
    for name, values in (("without viewers", alone), ("one reads, one stalls", watched)):
        print(f"{name:22} median {np.median(values):6.1f} ms, 95 % {np.percentile(values, 95):6.1f} ms")
    ratio = np.percentile(watched, 95) / np.percentile(alone, 95)
    print(f"95th percentile {100 * (ratio - 1):+.1f} %; pictures encoded per block: {encoded}")


if __name__ == "__main__":
    main()
