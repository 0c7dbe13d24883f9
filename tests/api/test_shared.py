"""StereoDepth("shm:NAME") is what the program that publishes has, to the bit."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roma_device import DepthFrame, RomaError, StereoDepth
from tests.api.conftest import REPLAY

NAME = f"door-{os.getpid()}"
OPTIONS: dict[str, Any] = {"engine": "null", "task": "depth,pose", "publish": f"shm:{NAME}?fields=all"}


def assert_equal(theirs: DepthFrame, ours: DepthFrame) -> None:
    for name in ("depth_m", "disparity_px", "confidence"):
        assert np.array_equal(getattr(theirs, name), getattr(ours, name), equal_nan=True), name
    for name in ("left", "right", "known"):
        assert np.array_equal(getattr(theirs, name), getattr(ours, name)), name
    for name in ("index", "timestamp_ns", "skew_ns", "rig", "dropped", "times_ms"):
        assert getattr(theirs, name) == getattr(ours, name), name
    assert ours.pose is not None and theirs.pose is not None and theirs.pose.as_json() == ours.pose.as_json()
    assert np.array_equal(theirs.points(stride=3).points_m, ours.points(stride=3).points_m)


def test_frames_are_those_of_the_program_that_publishes(tmp_path: Path) -> None:
    producer, pool = StereoDepth(f"{REPLAY}:2", **OPTIONS), ThreadPoolExecutor(1)
    consumer = StereoDepth(f"shm:{NAME}", output=tmp_path, save="results")
    with pool, producer, consumer:
        next(producer)
        publisher: Any = producer._session.sinks.sinks[OPTIONS["publish"]]
        for _ in range(3):
            coming = pool.submit(next, consumer)
            while not publisher.has_readers:
                time.sleep(0.001)
            ours = next(producer)
            assert_equal(coming.result(timeout=60), ours)
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 3


def test_the_end_of_the_other_program_is_the_end_of_the_loop() -> None:
    with StereoDepth(f"{REPLAY}:1", **OPTIONS) as producer, ThreadPoolExecutor(1) as pool:
        next(producer)
        with StereoDepth(f"shm:{NAME}") as consumer:
            frames = pool.submit(list, consumer)
            publisher: Any = producer._session.sinks.sinks[OPTIONS["publish"]]
            while not publisher.has_readers:
                time.sleep(0.001)
            rest = list(producer)
            assert frames.result(timeout=60)[-1].index == rest[-1].index == 3


def test_what_the_user_does_to_a_frame_is_not_published() -> None:
    with StereoDepth(f"{REPLAY}:2", **OPTIONS) as producer, ThreadPoolExecutor(1) as pool:
        next(producer)
        publisher: Any = producer._session.sinks.sinks[OPTIONS["publish"]]
        with StereoDepth(f"shm:{NAME}") as consumer:
            for _ in range(3):
                coming = pool.submit(next, consumer)
                while not publisher.has_readers:
                    time.sleep(0.001)
                ours = next(producer)
                whole = ours.depth_m.copy()
                ours.depth_m[:] = -7
                assert np.array_equal(coming.result(timeout=60).depth_m, whole, equal_nan=True)


def test_nobody_there_is_one_sentence() -> None:
    with StereoDepth("shm:elsewhere") as stereo, pytest.raises(RomaError, match="nobody publishes to shm:elsewhere"):
        next(stereo)


@pytest.mark.parametrize(
    ("option", "value"), [("model", "two-view"), ("record", "folder"), ("rectified", True), ("calibration", "rig.yaml")]
)
def test_what_the_other_program_has_chosen_is_refused(option: str, value: Any, rig: Any) -> None:
    value = rig if option == "calibration" else value
    with pytest.raises(RomaError, match=f"shm:x gives finished results: {option}= is chosen"):
        StereoDepth("shm:x", **{option: value})
