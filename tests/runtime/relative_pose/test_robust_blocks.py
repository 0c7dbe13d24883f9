"""Covariance of an M-estimate whose points share their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from roma_device.runtime.relative_pose.robust import m_covariance


def fitted(rng: np.random.Generator, areas: int, each: int) -> tuple[Any, Any, Any, Any]:
    """A line through noise of which most is common to an area: slopes, distances left, blocks, error of the fit."""
    place = np.repeat(rng.uniform(-1, 1, areas), each)
    slopes = np.stack([np.ones(areas * each), place])
    noise = np.repeat(rng.normal(0, 1, areas), each) + 0.3 * rng.normal(size=areas * each)
    found = np.linalg.lstsq(slopes.T, noise, rcond=None)[0]
    return slopes, noise - found @ slopes, np.repeat(np.arange(areas), each), found


@pytest.mark.parametrize("areas", [4, 60])
def test_errors_that_an_area_shares_count_once(areas: int) -> None:
    """With many areas the squared error is what the covariance says; with few it is not underrated."""
    rng = np.random.default_rng(5)
    squared = {"areas": 0.0, "points": 0.0}
    for _ in range(300):
        slopes, left, block, found = fitted(rng, areas, 30)
        for name, shared in (("areas", block), ("points", None)):
            covariance = m_covariance(slopes, left, 3.0, np.ones(len(left)), shared)
            squared[name] += float(found @ np.linalg.solve(covariance, found)) / 300
    assert squared["points"] > 20
    assert squared["areas"] == pytest.approx(2, rel=0.25) if areas == 60 else squared["areas"] < 10
