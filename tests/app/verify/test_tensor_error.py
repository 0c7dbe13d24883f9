"""Figures against ones worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from roma_device.app.verify.compare import DisparityEffect, TensorError


def test_equal_tensors() -> None:
    array = np.array([[1, -2], [3, 4]], np.float32)
    assert TensorError.of(array, array.copy()) == TensorError(0, 0, 1)


def test_known_difference() -> None:
    error = TensorError.of(np.array([3.0, 4.0]), np.array([4.0, 3.0]))
    assert (error.max_abs, error.mean_abs) == (1, 1)
    assert error.cosine == pytest.approx(24 / 25)


def test_integers_do_not_wrap() -> None:
    assert TensorError.of(np.array([0], np.uint8), np.array([255], np.uint8)).max_abs == 255


@pytest.mark.parametrize(("other", "cosine"), [([0.0, 0.0], 1), ([0.0, 1.0], 0)])
def test_zero_tensor(other: list[float], cosine: float) -> None:
    assert TensorError.of(np.zeros(2), np.array(other)).cosine == cosine


def test_a_number_that_is_not_finite_is_never_close() -> None:
    error = TensorError.of(np.array([1.0, np.nan]), np.array([1.0, 2.0]))
    assert error.max_abs == math.inf and math.isnan(error.cosine)
    worst = TensorError.worst([TensorError(0, 0, 1), error])
    assert math.isnan(worst.cosine) and worst.max_abs == math.inf
    assert worst.as_json() == {"max_abs": None, "mean_abs": None, "cosine": None}


def test_worst_of_several() -> None:
    errors = [TensorError(1, 0.5, 0.9), TensorError(3, 0.1, 0.99)]
    assert TensorError.worst(errors) == TensorError(3, pytest.approx(0.3), 0.9)


def test_effect_counts_certain_pixels_only() -> None:
    got, reference = np.array([0.0, 2.0, np.nan, 9.0]), np.array([0.5, 4.0, 3.0, 0.0])
    effect = DisparityEffect.of(got, reference, np.array([True, True, True, False]))
    assert effect == DisparityEffect(pytest.approx(5.5 / 3), 3, pytest.approx(2 / 3), 3)


def test_no_certain_pixel() -> None:
    empty = DisparityEffect.of(np.ones(2), np.zeros(2), np.zeros(2, bool))
    assert empty == DisparityEffect(0, 0, 0, 0)
    assert DisparityEffect.total([empty]) == empty


def test_total_weighs_by_pixels() -> None:
    total = DisparityEffect.total([DisparityEffect(1, 2, 0.5, 10), DisparityEffect(0, 0, 0, 30)])
    assert total == DisparityEffect(0.25, 2, 0.125, 40)
