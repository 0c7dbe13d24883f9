"""Results as JSON: a flat record for each frame, and the file with a line for each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage, Mask
from roma_device.runtime.types import Result

from .json_lines import JsonLinesSink


def result_record(result: Result) -> dict[str, Any]:
    """What is worth keeping of one frame, ready for ``json.dumps``: finite numbers, or None for unknown.

    Medians are over the known pixels. The keys are the same for every frame.
    """
    known, has_matches = result.known, result.matches.makes_any
    depth_m = None if result.depth is None else result.depth.depth_m
    return {
        "index": result.index,
        "timestamp_ns": result.frame.timestamp_ns,
        "skew_ns": result.frame.skew_ns,
        "size": list(result.frame.size),
        "times": {name: _number(value) for name, value in result.times.as_json().items()},
        "total_ms": _number(result.times.total_ms, 3),
        "valid_ratio": _mean(known) if has_matches else None,
        "median_depth_m": _median(depth_m, known),
        "median_disparity_px": _median(result.matches.disparity_px, known),
        "mean_certainty": _mean(result.matches.certainty) if has_matches else None,
        "dropped": result.dropped,
        "pose": None if result.pose is None else result.pose.as_json(),
        "obstacles": None if result.obstacles is None else result.obstacles.as_json(),
    }


def _median(values: FloatImage | None, known: Mask) -> float | None:
    if values is None or not known.any():
        return None
    return _number(float(np.median(values[known])))


def _mean(values: AnyArray) -> float | None:
    if values.size == 0:
        return None
    return _number(float(values.mean(dtype=np.float64)))


def _number(value: float, digits: int = 4) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return round(float(value), digits) if math.isfinite(value) else None


class ResultsSink(JsonLinesSink):
    """``results.jsonl``; what is written stays valid when the run is killed."""

    file_name, content = "results.jsonl", "results"

    def record(self, result: Result) -> dict[str, Any]:
        return result_record(result)
