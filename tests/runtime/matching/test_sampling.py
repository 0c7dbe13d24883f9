from __future__ import annotations

import numpy as np
import pytest

from roma_device.app.evaluate.pose.report import pose_error_deg
from roma_device.app.simulation.two_views import TwoViewSpec, simulate_dense
from roma_device.runtime.matching.sampling import SamplingOptions, sample_matches
from roma_device.runtime.relative_pose.estimate import estimate_relative_pose
from roma_device.runtime.types import Matches

WAYS = pytest.mark.parametrize("way", ["balanced", "grid"])


def plain(certainty: float = 0.9, shift: tuple[float, float] = (0, 0)) -> Matches:
    y, x = np.mgrid[:120, :160].astype(np.float32)
    warp = np.dstack([x + np.float32(shift[0]), y + np.float32(shift[1])])
    return Matches(np.full((120, 160), certainty, np.float32), two_view_warp=warp)


@WAYS
def test_pose_from_a_dense_warp(way: str) -> None:
    matches, camera, b_from_a = simulate_dense(TwoViewSpec(outliers=0.2), 1)
    pairs = sample_matches(matches, camera.size, SamplingOptions(way=way), 8)
    found = estimate_relative_pose(pairs, camera, camera)
    assert found.state == "ok" and pose_error_deg(found.b_from_a, b_from_a) < 1


@WAYS
def test_same_matches_give_the_same_points_and_another_seed_others(way: str) -> None:
    matches = plain()
    draws = [sample_matches(matches, (160, 120), SamplingOptions(500, way=way, seed=seed)) for seed in (0, 0, 1)]
    assert np.array_equal(draws[0].a, draws[1].a)
    assert not np.array_equal(draws[0].a, draws[2].a)


def test_draw_is_that_of_every_machine() -> None:
    """What PCG64 and exact arithmetic give, written down once."""
    pairs = sample_matches(plain(), (160, 120), SamplingOptions(5, way="grid", seed=3))
    again = sample_matches(plain(), (160, 120), SamplingOptions(5, seed=3))
    assert pairs.a.tolist() == EXPECTED_GRID
    assert again.a.tolist() == EXPECTED_BALANCED


EXPECTED_GRID = [[0.0, 0.0], [61.0, 0.0], [0.0, 61.0], [61.0, 61.0]]
EXPECTED_BALANCED = [[78.0, 21.0], [139.0, 38.0], [93.0, 74.0], [28.0, 112.0]]


@WAYS
def test_only_what_is_certain_and_inside_is_drawn(way: str) -> None:
    matches = plain(shift=(100, 0))
    matches.certainty[:60] = 0.01
    pairs = sample_matches(matches, (160, 120), SamplingOptions(400, way=way))
    assert len(pairs) > 50
    assert (pairs.a[:, 1] >= 60).all() and (pairs.b[:, 0] <= 159.5).all()
    assert np.array_equal(pairs.b - pairs.a, np.tile([100.0, 0.0], (len(pairs), 1)))


@WAYS
@pytest.mark.parametrize("matches", [plain(0.0), plain(shift=(500, 0))])
def test_nothing_to_draw_is_no_points(way: str, matches: Matches) -> None:
    assert len(sample_matches(matches, (160, 120), SamplingOptions(way=way), 8)) == 0


def test_dense_regions_are_thinned_out() -> None:
    """Certain pixels in one corner and a few over the rest: the rest gets far more than its share."""
    matches = plain()
    matches.certainty[::3, ::3] += 0.01
    sparse = np.zeros((120, 160), bool)
    sparse[::4, ::4] = True
    sparse[:60, :80] = True
    matches.certainty[~sparse] = 0
    pairs = sample_matches(matches, (160, 120), SamplingOptions(600))
    in_corner = (pairs.a < [80, 60]).all(axis=1).mean()
    assert sparse[:60, :80].sum() / sparse.sum() > 0.8 > 0.65 > in_corner


def test_points_of_one_cell_are_one_block() -> None:
    pairs = sample_matches(plain(), (160, 120), SamplingOptions(2000), block_px=8)
    assert pairs.block is not None
    cells = (pairs.a // 8).astype(int)
    assert len(np.unique(pairs.block)) == len(np.unique(cells, axis=0))
