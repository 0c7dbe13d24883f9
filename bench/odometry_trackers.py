"""Who follows points best, and what it costs: odometry with each tracker, at the full frame rate and at lower ones.

    python -m bench.odometry_trackers [--index clips.json] [--trackers klt two-view] [--every 1 2 4 8]

Of each sequence every n-th frame alone is shown: what moves between frames grows, as it does on a slow processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.app.cameras import open_camera
from roma_device.app.evaluate.odometry.datasets import open_clip
from roma_device.app.evaluate.odometry.evaluate import read_clip_index
from roma_device.app.run.from_settings import open_tracker
from roma_device.calibration.rectify import Rectification, RectifiedRig
from roma_device.runtime.matching_network import NetworkOptions
from roma_device.runtime.odometry.stereo_odometry import StereoOdometry
from roma_device.runtime.odometry.trackers import Tracker
from roma_device.runtime.rectified_images import RectifiedImages

SIMULATED = [f"{scene}?size=640x400&frames=64&fps=16&seed=3" for scene in ("room", "boxes", "street")]


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Rectified grey pairs and where they were taken."""

    name: str
    rig: RectifiedRig
    pairs: list[tuple[Any, Any]]
    times_ns: list[int]
    true_m: npt.NDArray[np.float64]  # (N, 3)


def simulated(spec: str) -> Recorded:
    camera = open_camera(f"simulated:{spec}")
    assert camera.calibration is not None
    rectification = Rectification.from_calibration(camera.calibration)
    pairs, times_ns, true_m = [], [], []
    for frame in camera.frames():
        pairs.append(RectifiedImages(frame.left.image, frame.right.image, rectification).grey)
        times_ns.append(frame.timestamp_ns)
        assert frame.truth is not None
        true_m.append(frame.truth.world_from_left.translation_m)
    return Recorded(spec.partition("?")[0], rectification.rig, pairs, times_ns, np.array(true_m))


def recorded(index: Path) -> Iterator[Recorded]:
    for name, folder in read_clip_index(index):
        clip = open_clip(folder)
        if clip is not None:
            frames = list(clip.frames())
            pairs, times_ns = [frame[:2] for frame in frames], [frame[2] for frame in frames]
            yield Recorded(name, clip.rig, pairs, times_ns, clip.reference.positions_m)


def row(sequence: Recorded, tracker: Tracker, every: int) -> str:
    """What came of every n-th frame."""
    odometry = StereoOdometry(sequence.rig, tracker=tracker)
    estimates, times_s = [], []
    for index in range(0, len(sequence.pairs), every):
        start_s = time.process_time()
        estimates.append(odometry.process(*sequence.pairs[index], sequence.times_ns[index]))
        times_s.append(time.process_time() - start_s)
    true_m, errors_m, steps_m = sequence.true_m[::every], [], []
    for number, (one, other) in enumerate(pairwise(estimates)):
        if one.odom_from_camera is not None and other.odom_from_camera is not None and one.segment == other.segment:
            moved_m = np.linalg.norm(other.odom_from_camera.translation_m - one.odom_from_camera.translation_m)
            truly_m = np.linalg.norm(true_m[number + 1] - true_m[number])
            errors_m.append(abs(moved_m - truly_m))
            steps_m.append(truly_m)
    states = [estimate.state for estimate in estimates]
    error = f"{100 * sum(errors_m) / sum(steps_m):6.2f} %" if steps_m else "     -"
    step_m = np.linalg.norm(np.diff(true_m, axis=0), axis=1).mean()
    return (
        f"{every:5d} {step_m:8.3f} {len(states):7d} {states.count('ok'):5d} {states.count('degraded'):9d} "
        f"{states.count('lost'):5d} {estimates[-1].segment:9d} {error:>16} {1e3 * np.median(times_s):9.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, help="recorded sequences with true positions, besides the simulated ones")
    parser.add_argument("--trackers", nargs="+", default=["klt", "two-view"], help="as odometry.tracker (klt two-view)")
    parser.add_argument("--every", nargs="+", type=int, default=[1, 2, 4, 8], help="frames per frame shown (1 2 4 8)")
    parser.add_argument("--input-width", type=int, default=640, help="px, of a network (640)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    sequences = [simulated(spec) for spec in SIMULATED]
    sequences += [] if arguments.index is None else recorded(arguments.index)
    options = NetworkOptions(threads=1, input_width=arguments.input_width)
    print("every  step, m  frames    ok  degraded  lost  segments  error of a step    CPU ms")
    for sequence in sequences:
        for name in arguments.trackers:
            print(f"{sequence.name}, {name}")
            tracker = open_tracker(name, options)
            for every in arguments.every:
                print(row(sequence, tracker, every), flush=True)
            tracker.close()


if __name__ == "__main__":
    main()
