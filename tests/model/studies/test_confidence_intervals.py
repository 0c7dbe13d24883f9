from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: the tests of model/ need it")

from model.studies.models_page.results import T_975, mean_difference, mean_of


def density(
    t: np.ndarray[tuple[int], np.dtype[np.float64]], freedom: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of Student's t, from its definition."""
    scale = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))
    return np.asarray(scale * (1 + t * t / freedom) ** (-(freedom + 1) / 2))


@pytest.mark.parametrize("freedom", range(1, len(T_975) + 1))
def test_quantiles_leave_two_and_a_half_percent_on_each_side(freedom: int) -> None:
    t = np.linspace(0, T_975[freedom - 1], 200_001)
    values = density(t, freedom)
    area = float(((values[1:] + values[:-1]) / 2).sum() * (t[1] - t[0]))
    assert 2 * area == pytest.approx(0.95, abs=5e-5)


def test_interval_of_three_runs() -> None:
    mean = mean_of([1.0, 2.0, 3.0])
    assert mean.value == 2 and mean.half == pytest.approx(4.303 / math.sqrt(3))
    assert not mean.is_clear and mean_of([2.0, 2.1, 2.2]).is_clear


def test_one_run_says_nothing_of_the_spread() -> None:
    assert mean_of([3.0]).half == math.inf and not mean_of([3.0]).is_clear


def test_pairing_takes_out_what_runs_share() -> None:
    shared = np.array([10.0, 20.0, 60.0])
    difference = mean_difference((shared + np.array([1.0, 1.1, 0.9])).tolist(), shared.tolist())
    assert difference.value == pytest.approx(1) and difference.is_clear
