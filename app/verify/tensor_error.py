"""Tensor errors (maximum, mean, cosine similarity) against a reference, and their effect on the disparities."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from roma_device.calibration.arrays import FloatArray, Mask
from roma_device.runtime.engine import Array

OVER_PX = 1.0
"""A disparity off by more than this counts as wrong."""


@dataclass(frozen=True, slots=True)
class TensorError:
    """One output against its reference; over several vectors the worst maximum and cosine, the mean's mean."""

    max_abs: float
    mean_abs: float
    cosine: float  # in [-1, 1]; NaN where a value is not finite

    @classmethod
    def of(cls, got: Array, reference: Array) -> TensorError:
        """Two arrays of the same shape, compared in float64. Two zero arrays have the cosine 1, one 0."""
        a, b = (array.astype(np.float64).ravel() for array in (got, reference))
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return cls(float("inf"), float("inf"), float("nan"))
        difference = np.abs(a - b)
        return cls(float(difference.max()), float(difference.mean()), _cosine(a, b))

    @classmethod
    def worst(cls, errors: list[TensorError]) -> TensorError:
        """Of the same output over all vectors."""
        return cls(
            max(error.max_abs for error in errors),
            sum(error.mean_abs for error in errors) / len(errors),
            float(np.min([error.cosine for error in errors])),  # of numpy: a NaN stays one
        )

    def as_json(self) -> dict[str, float | None]:
        """None for what is not finite."""
        return {key: float(f"{value:.9g}") if np.isfinite(value) else None for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class DisparityEffect:
    """Differences of the disparities in px of the network's input, where the reference is certain of them."""

    mean_px: float
    max_px: float
    over_1px: float  # share in [0, 1]
    pixels: int

    @classmethod
    def of(cls, got_px: Array, reference_px: Array, certain: Mask) -> DisparityEffect:
        """Arrays of one shape. A disparity that is not finite counts as 0, as the program decodes it."""
        got, reference = (np.where(np.isfinite(array), array, 0) for array in (got_px, reference_px))
        difference = np.abs(got.astype(np.float64) - reference)[certain]
        if difference.size == 0:
            return cls(0.0, 0.0, 0.0, 0)
        over = float((difference > OVER_PX).mean())
        return cls(float(difference.mean()), float(difference.max()), over, difference.size)

    @classmethod
    def total(cls, effects: list[DisparityEffect]) -> DisparityEffect:
        """Over all vectors, every pixel counting the same."""
        pixels = sum(effect.pixels for effect in effects)
        mean, over = (
            sum(value * effect.pixels for value, effect in zip(values, effects, strict=True)) / max(pixels, 1)
            for values in ([effect.mean_px for effect in effects], [effect.over_1px for effect in effects])
        )
        return cls(mean, max(effect.max_px for effect in effects), over, pixels)

    def as_json(self) -> dict[str, Any]:
        return {key: round(value, 6) for key, value in asdict(self).items()}


def _cosine(a: FloatArray, b: FloatArray) -> float:
    if np.array_equal(a, b):
        return 1.0  # exactly, where rounding would leave a little less
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / lengths, -1, 1)) if lengths else 0.0
