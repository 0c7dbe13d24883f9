"""CPU time from a dense warp to a pose: ``roma-device bench --task pose``."""

from __future__ import annotations

import time

import cv2

from roma_device.app.simulation.two_views import TwoViewSpec, simulate_dense
from roma_device.runtime.matching.sampling import SamplingOptions, sample_matches
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose

from .latency_table import LatencyTable

BLOCK_PX = 8.0


def bench_pose(repeat: int, warmup: int, threads: int) -> LatencyTable:
    """Draw 5,000 points of a simulated warp and find their pose, ``warmup`` times unmeasured, then ``repeat`` times.

    ``threads``: OpenCV's; 0: its own choice.
    """
    if threads:
        cv2.setNumThreads(threads)
    spec, options = TwoViewSpec(outliers=0.3), SamplingOptions()
    matches, camera, _ = simulate_dense(spec, seed=0)
    stages_ms: dict[str, list[float]] = {"sampling": [], "pose": [], "total": []}
    for run in range(warmup + repeat):
        start = time.process_time_ns()
        pairs = sample_matches(matches, camera.size, options, BLOCK_PX)
        sampled = time.process_time_ns()
        estimate_relative_pose(pairs, camera, camera)
        done = time.process_time_ns()
        if run >= warmup:
            for name, ns in (("sampling", sampled - start), ("pose", done - sampled), ("total", done - start)):
                stages_ms[name].append(ns / 1e6)
    header = {
        "points": str(options.count),
        "wrong": f"{100 * spec.outliers:.0f} %",
        "threads": str(cv2.getNumThreads()),
        "warmup": str(warmup),
        "repeat": str(repeat),
        "times": "CPU of the process",
    }
    return LatencyTable.of("Run relative pose", header, stages_ms)
