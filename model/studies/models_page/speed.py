"""CPU time of a variant in every host engine against that of OpenCV's SGBM."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from model.quantize import Samples, quantize, write_int8
from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard, ModelError, load_card
from roma_device.runtime.engine import EngineError, EngineOptions, Precision, open_engine

SIZE = (640, 320)
ENGINES: tuple[tuple[str, Precision], ...] = (
    ("onnx", "fp32"),
    ("onnx", "int8"),
    ("openvino", "fp32"),
    ("openvino", "int8"),
    ("opencv", "fp32"),
)
"""Engines and precisions that are timed; OpenCV runs no 8-bit file of this form."""


def cpu_ratios(bundle: Path, rounds: int) -> dict[str, float]:
    """ "onnx int8" and so on -> median over rounds of CPU time over that of SGBM in the same round, one thread each.

    Adds an 8-bit file to ``bundle``. An engine that does not take the graph, or is not installed, is left out.
    """
    cv2.setNumThreads(1)
    _add_int8(bundle)
    runs = dict(_opened(load_card(bundle)))
    baseline = _sgbm()
    for run in (*runs.values(), baseline):
        run()
    ratios: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        reference = statistics.median(_cpu_s(baseline) for _ in range(3))
        for name, run in runs.items():
            ratios[name].append(_cpu_s(run) / reference)
    return {name: round(statistics.median(values), 3) for name, values in ratios.items()}


def _add_int8(bundle: Path) -> None:
    """Convolutions in 8 bits, calibrated on noise: what the ranges are changes no speed."""
    write_int8(bundle, quantize(load_card(bundle).files["onnx"].read(), Samples(_noise(seed) for seed in range(2))))


def _noise(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {name: rng.random((1, 1, SIZE[1], SIZE[0]), np.float32) for name in ("left", "right")}


def _opened(card: ModelCard) -> Iterator[tuple[str, Callable[[], Any]]]:
    for name, precision in ENGINES:
        try:
            engine = open_engine(card, name, EngineOptions(Size(*SIZE), 1, precision=precision))
            for side, value in _noise(0).items():
                engine.inputs[side][...] = value
            engine.run()
        except (EngineError, ModelError):
            continue
        yield f"{name} {precision}", engine.run


def _cpu_s(run: Callable[[], Any]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _sgbm() -> Callable[[], Any]:
    """SGBM in its fast mode, 64 disparities, on textured noise."""
    rng = np.random.default_rng(0)
    left = cv2.GaussianBlur(rng.integers(0, 256, SIZE[::-1], np.uint8), (0, 0), 1.5)
    right = np.roll(left, -12, 1)
    matcher = cv2.StereoSGBM.create(
        minDisparity=0, numDisparities=64, blockSize=5, P1=200, P2=800, mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY
    )
    return lambda: matcher.compute(left, right)
