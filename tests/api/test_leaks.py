"""Open and close again and again: memory, descriptors and threads stay as they are."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from roma_device import StereoCalibration, StereoDepth, StereoFrame
from tests.api.replay import Replay

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Held(NamedTuple):
    rss_mib: float
    descriptors: int
    threads: int


def held() -> Held:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Held(pages * PAGE_BYTES / 2**20, len(list(Path("/proc/self/fd").iterdir())), threading.active_count())


def growth(use: Callable[[], None], warm: int, times: int) -> Held:
    """What is held after ``times`` uses more than after ``warm`` ones."""
    for _ in range(warm):
        use()
    before = held()
    for _ in range(times):
        use()
    after = held()
    return Held(*(late - early for late, early in zip(after, before, strict=True)))


def use_of(frames: list[StereoFrame], rig: StereoCalibration, engine: str) -> Callable[[], None]:
    def use() -> None:
        with StereoDepth(Replay(frames, rig), engine=engine, input_width=160, threads=1) as stereo:
            next(stereo).points(4)
            if engine == "null":
                stereo.match(frames[0].left.image, frames[0].right.image)

    return use


def test_nothing_is_kept_of_what_is_closed(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    grown = growth(use_of(frames, rig, "null"), 10, 40)
    assert (grown.descriptors, grown.threads) == (0, 0) and grown.rss_mib < 4


@pytest.mark.slow
def test_fifty_times_with_a_network(frames: list[StereoFrame], rig: StereoCalibration) -> None:
    grown = growth(use_of(frames, rig, "opencv"), 10, 50)
    assert (grown.descriptors, grown.threads) == (0, 0) and grown.rss_mib < 8
