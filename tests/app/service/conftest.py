"""A run that has gone on for three frames."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from roma_device.app.cameras import CaptureCounts
from roma_device.app.cameras.source import FileSource, RateLimit
from roma_device.app.service.live_stats import LiveStats
from roma_device.runtime.types import DepthMap, Frame, Matches, Result, StageTimes, StereoFrame
from tests.logged import logged


class LiveStub(FileSource):
    """A source whose stamps are of now; it never gives a frame itself."""

    is_live = True

    def __init__(self) -> None:
        self.counts, self.limit = CaptureCounts(), RateLimit()
        self.counts.is_connected = True


def result(index: int) -> Result:
    """Taken 20 ms ago, right 2 ms after left, half of its depth known."""
    image, now_ns = np.zeros((4, 8), np.uint8), time.monotonic_ns() - 20_000_000
    frame = StereoFrame(Frame(image, now_ns, index), Frame(image, now_ns + 2_000_000, index))
    certainty = np.ones((4, 8), np.float32)
    depth_m = np.where(np.arange(8) < 4, 2.0, np.nan).astype(np.float32) * certainty
    times = StageTimes({"preprocess": 1.0, "engine": 13.0})
    valid, depth = np.isfinite(depth_m), DepthMap(depth_m, certainty, now_ns)
    return Result(frame, index, Matches(certainty, certainty), valid, None, depth, None, times)


@pytest.fixture
def figures() -> LiveStats:
    return LiveStats(LiveStub())


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The lines that the program logs."""
    with logged("INFO") as lines:
        yield lines
