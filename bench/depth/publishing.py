"""Cost of publishing: what ``write`` takes with a reader in another process, and how old frames are when they arrive.

    python -m bench.depth.publishing [shm] [zenoh] [--frames 1000] [--fps 30] [--fields left,depth,confidence]

Frames of 640x400 are written as a camera would, at a steady rate. Printed are the wall and the processor time of
``write`` (least, median, 95 %, greatest), for shm the processor time of all threads until the frame is there, and the
age of a depth image in its reader (shm: a copy that is looked at; zenoh: a peer on loopback that gets its bytes),
without a reader as well; and what copying as much as shm does takes by itself. Needs for zenoh the extra ``zenoh``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from roma_device.app.publishers import open_publisher
from roma_device.app.shared_memory.publisher import SharedMemoryPublisher
from roma_device.app.sinks import Sink
from roma_device.calibration.arrays import Size
from roma_device.calibration.rectify import RectifiedRig
from roma_device.runtime.rectified_images import RectifiedImages
from roma_device.runtime.types import DepthMap, Frame, Matches, Result, StageTimes, StereoFrame

SIZE = Size(640, 400)
ENDPOINT = "tcp/127.0.0.1:17457"
WARM_UP = 20

Reader = Callable[[Connection, int], None]


def result_of(index: int) -> Result:
    """A frame with colour, depth and certainty, taken now."""
    now_ns, shape = time.monotonic_ns(), (SIZE[1], SIZE[0])
    left = np.full((*shape, 3), index % 256, np.uint8)
    certainty = np.ones(shape, np.float32)
    frame = Frame(left, now_ns, index)
    return Result(
        frame=StereoFrame(frame, frame),
        index=index,
        matches=Matches(certainty, certainty),
        valid=certainty > 0,
        rig=RectifiedRig(SIZE, 500.0, 0.1, 319.5, 199.5),
        depth=DepthMap(np.full(shape, 1 + index % 100, np.float32), certainty, now_ns),
        images=RectifiedImages(left, left),
        times=StageTimes({"run": 1.0}),
    )


def read_shm(name: str, pipe: Connection, frames: int) -> None:
    """Ages (s) of the frames that come; whole ones alone."""
    from roma_device import StereoDepth

    ages_ms: list[float] = []
    with StereoDepth(f"shm:{name}") as stereo:
        pipe.send("ready")
        for frame in stereo:
            ages_ms.append((time.monotonic_ns() - frame.timestamp_ns) / 1e6)
            assert frame.depth_m[0, 0] == frame.depth_m[-1, -1]
    pipe.send(ages_ms)


def read_zenoh(pipe: Connection, frames: int) -> None:
    """The same for depth images of a router on loopback."""
    import zenoh

    config = zenoh.Config()
    for key, value in (
        ("mode", '"router"'),
        ("listen/endpoints", f'["{ENDPOINT}"]'),
        ("scouting/multicast/enabled", "false"),
    ):
        config.insert_json5(key, value)
    ages_ms: list[float] = []

    def hear(sample: Any) -> None:
        sent_ns = int.from_bytes(sample.attachment.to_bytes()[8:16], "little")
        ages_ms.append((time.time_ns() - sent_ns) / 1e6)
        assert len(sample.payload.to_bytes()) > 4 * SIZE[0] * SIZE[1]

    with zenoh.open(config) as session:
        pipe.send("the router is there")
        pipe.recv()
        subscriber = session.declare_subscriber("0/stereo/depth/image_rect/**", hear)
        pipe.send("ready")
        pipe.recv()
        subscriber.undeclare()
    pipe.send(ages_ms)


def spread(values: list[float]) -> str:
    median, high = np.percentile(values, (50, 95))
    return f"least {min(values):.3f}, median {median:.3f}, 95 % {high:.3f}, greatest {max(values):.3f}"


def write_all(publisher: Sink, frames: int, fps: float, label: str) -> None:
    """Write at a steady rate, and print what it took."""
    wall_ms, cpu_ms, all_ms = [], [], []
    due_s = time.monotonic()
    for index in range(WARM_UP + frames):
        result = result_of(index)
        all_ns, start_ns, cpu_ns = time.process_time_ns(), time.perf_counter_ns(), time.thread_time_ns()
        publisher.write(result)
        wall_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
        cpu_ms.append((time.thread_time_ns() - cpu_ns) / 1e6)
        if isinstance(publisher, SharedMemoryPublisher):
            publisher.flush()
            all_ms.append((time.process_time_ns() - all_ns) / 1e6)
        due_s += 1 / fps
        time.sleep(max(0.0, due_s - time.monotonic()))
    print(f"{label}: write, wall ms: {spread(wall_ms[WARM_UP:])}; processor ms: {spread(cpu_ms[WARM_UP:])}", flush=True)
    if all_ms:
        print(f"{label}: all threads until it is there, processor ms: {spread(all_ms[WARM_UP:])}", flush=True)


def copy_alone(fields: str, fps: float) -> None:
    """The same bytes into memory that is there, at the same rate."""
    sizes = {"left": 3, "right": 3, "depth": 4, "disparity": 4, "confidence": 4}
    size = sum(sizes[name] for name in fields.split(",")) * SIZE[0] * SIZE[1]
    source, ring, cpu_ms = np.ones(size, np.uint8), np.ones((4, size), np.uint8), []
    for index in range(100):
        source[:] = index
        cpu_ns = time.thread_time_ns()
        np.copyto(ring[index % 4], source)
        cpu_ms.append((time.thread_time_ns() - cpu_ns) / 1e6)
        time.sleep(1 / fps)
    print(f"a copy of {size / 1e6:.2f} MB: processor ms: {spread(cpu_ms)}")


def measure(spec: str, reader: Reader, frames: int, fps: float, *, reader_first: bool) -> None:
    """Without a reader, then with one in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=reader, args=(theirs, frames))
    if reader_first:
        process.start()
        ours.recv()
    with open_publisher(spec) as publisher:
        write_all(publisher, frames, fps, f"{spec.partition(':')[0]} without a reader")
        if reader_first:
            ours.send("subscribe")
        else:
            process.start()
        ours.recv()
        write_all(publisher, frames, fps, f"{spec.partition(':')[0]} with a reader")
        if reader_first:
            ours.send("end")
    ages_ms = ours.recv()
    process.join()
    print(f"{spec.partition(':')[0]}: {len(ages_ms)} frames arrived, age ms: {spread(ages_ms[WARM_UP:])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", default=["shm", "zenoh"], metavar="shm|zenoh")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--fields", default="left,depth,confidence", help="of shm")
    options = parser.parse_args()
    if "shm" in options.ways:
        copy_alone(options.fields, options.fps)
        name = f"bench-{os.getpid()}"
        measure(
            f"shm:{name}?fields={options.fields}",
            partial(read_shm, name),
            options.frames,
            options.fps,
            reader_first=False,
        )
    if "zenoh" in options.ways:
        measure(f"zenoh:{ENDPOINT}?domain=0", read_zenoh, options.frames, options.fps, reader_first=True)


if __name__ == "__main__":
    main()
