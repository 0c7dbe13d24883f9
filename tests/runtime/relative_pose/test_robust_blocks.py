"""Covariance of an M-estimate whose points share their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from roma_device.runtime.relative_pose.robust import m_covariance, median


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


def test_the_covariance_is_the_textbook_s_where_all_points_count_alike() -> None:
    """HC3 of MacKinnon and White: squared residuals over the square of one minus the leverage."""
    rng = np.random.default_rng(1)
    slopes = np.stack([np.ones(8), np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 5.0])])  # the last one has leverage
    noise = rng.normal(0, 1, 8)
    left = noise - np.linalg.lstsq(slopes.T, noise, rcond=None)[0] @ slopes
    inverse = np.linalg.inv(slopes @ slopes.T)
    leverage = np.minimum(((inverse @ slopes) * slopes).sum(axis=0), 0.9)
    expected = inverse @ (slopes * (left / (1 - leverage)) ** 2) @ slopes.T @ inverse
    found = m_covariance(slopes, left, 1e6, np.ones(8), None)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 501])
def test_the_median_is_numpys(count: int) -> None:
    values = np.random.default_rng(count).normal(0, 1, count)
    assert median(values) == np.median(values)
