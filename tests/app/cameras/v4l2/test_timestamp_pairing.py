"""Pairing by timestamp: whatever two cameras do, no pair is further apart than allowed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roma_device.app.cameras.v4l2.timestamp_pairing import TimestampPairer

MS = 1_000_000
PERIOD_NS = 33 * MS


@dataclass(frozen=True)
class Stamp:
    timestamp_ns: int


def paired(left: list[int], right: list[int], max_skew_ns: int) -> tuple[list[tuple[Stamp, Stamp]], list[Stamp], int]:
    """Pairs, rejected items and how many wait at the end, for stamps that arrive in the order of their times."""
    arrivals = sorted([(stamp, 0) for stamp in left] + [(stamp, 1) for stamp in right])
    pairer: TimestampPairer[Stamp] = TimestampPairer(max_skew_ns)
    pairs = [pair for stamp, side in arrivals if (pair := pairer.push(side, Stamp(stamp))) is not None]
    before = len(pairer.rejected)
    pairer.clear()
    return pairs, [item for _, item in pairer.rejected], len(pairer.rejected) - before


rising = st.lists(st.integers(1, 60 * MS), max_size=60).map(lambda steps: np.cumsum(steps, dtype=np.int64).tolist())


@given(rising, rising, st.integers(0, 40 * MS))
def test_no_pair_is_over_the_limit_and_nothing_is_lost_or_used_twice(
    left: list[int], right: list[int], max_skew_ns: int
) -> None:
    pairs, rejected, waiting = paired(left, right, max_skew_ns)
    for one, other in pairs:
        assert abs(one.timestamp_ns - other.timestamp_ns) <= max_skew_ns
    assert sorted([pair[0].timestamp_ns for pair in pairs]) == [pair[0].timestamp_ns for pair in pairs]
    used = [id(item) for pair in pairs for item in pair] + [id(item) for item in rejected]
    assert len(set(used)) == len(used) == len(left) + len(right)
    assert waiting <= 2


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.floats(0, 0.3), st.floats(-0.002, 0.002), st.integers(-16, 16))
def test_cameras_with_jitter_drops_and_drift(seed: int, loss: float, drift: float, offset_ms: int) -> None:
    """The right camera's clock runs ``drift`` faster; each frame jitters by up to 2 ms and may be lost."""
    rng = np.random.default_rng(seed)
    times = 10**12 + np.arange(400) * PERIOD_NS
    jitter = rng.integers(-2 * MS, 2 * MS, (2, 400))
    kept = rng.random((2, 400)) >= loss
    left = (times + jitter[0])[kept[0]]
    right = (10**12 + offset_ms * MS + np.arange(400) * PERIOD_NS * (1 + drift) + jitter[1]).astype(np.int64)[kept[1]]
    pairs, rejected, _ = paired(left.tolist(), right.tolist(), 10 * MS)
    skews = [right.timestamp_ns - left.timestamp_ns for left, right in pairs]
    assert all(abs(skew) <= 10 * MS for skew in skews)
    assert all(a[0].timestamp_ns < b[0].timestamp_ns for a, b in pairwise(pairs))
    assert 2 * len(pairs) + len(rejected) == len(left) + len(right)
    possible = sum(np.abs(right - stamp).min(initial=10**18) <= 10 * MS for stamp in left)
    assert len(pairs) == possible  # half a period is more than the limit: no frame has two candidates


@pytest.mark.parametrize("side", [0, 1])
def test_a_camera_alone_never_holds_more_than_two_buffers(side: int) -> None:
    pairer: TimestampPairer[Stamp] = TimestampPairer(10 * MS)
    for number in range(10):
        assert pairer.push(side, Stamp(number * PERIOD_NS)) is None
    assert len(pairer.rejected) == 8
