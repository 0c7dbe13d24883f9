"""Plausibility check of network outputs: a wrong scale, codes or old results are noticed before they become depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from loguru import logger

from roma_device.calibration.arrays import AnyArray
from roma_device.runtime.card import ModelCard, ModelError
from roma_device.runtime.engine import EngineError

Sample = Mapping[str, AnyArray]
"""Copies of some rows of each tensor, (rows, last axis)."""

SAMPLED = 12_800
"""So many values of each tensor are looked at, in whole rows: a fault of an engine shows everywhere."""

FAULT_AFTER = 5
"""One such frame may be chance, so many in a row are not."""

TOLERANCE = 0.05
"""By which quantization may carry a probability beyond 0 or 1."""

LEAST_RANGE_PX = 512
"""A network looks as far as it was trained to, however narrow its input is: disparities beyond both make no sense."""

MOST_OUTSIDE = 0.01
"""Share of values beyond their range that may be the network's own."""

WARP_RANGE = 16.0
"""Of a warp, whose image ends at -1 and 1: only codes are farther away."""

CHANGED = 0.05
"""Share of input values that differ in images which are not the same; sensor noise alone changes more."""

SCALE = "these are codes, or of another scale than its card says: compile the outputs as the card has them"
OLD = "an old result is read: the runtime writes elsewhere, or its cache is not invalidated"
FLAT = "the model was compiled or quantized wrongly, or its card is another model's"
NO_NUMBERS = "the network overflows, or its type is not what its card says"


def check_outputs(card: ModelCard) -> None:
    """Raise ModelError where outputs come as integers, of which nothing says what one step means."""
    for spec in card.outputs:
        if spec.dtype not in ("float32", "bfloat16"):
            raise ModelError(
                f"model {card.name}: {spec.name} is {spec.dtype}, codes without a scale: "
                "compile it with outputs in float32 or bfloat16"
            )


def sample_inputs(inputs: Mapping[str, AnyArray]) -> Sample:
    """What the check remembers of a frame; to be taken when it is prepared, as its buffers are another's later."""
    return {name: _rows(array).copy() for name, array in inputs.items()}


class OutputCheck:
    """Looks at the outputs of one frame after the other; FAULT_AFTER that make no sense in a row are an EngineError."""

    def __init__(self, is_stereo: bool, width: int) -> None:
        """``is_stereo``: outputs are a disparity and a probability, else a warp and a logit; ``width`` of the input."""
        range_px = float(max(width, LEAST_RANGE_PX))
        stereo = dict.fromkeys(("disparity", "parts"), (-range_px, range_px))
        stereo |= {"certainty": (-TOLERANCE, 1 + TOLERANCE)}
        self._limits = stereo if is_stereo else {"warp": (-WARP_RANGE, WARP_RANGE)}
        self._last: tuple[Sample, Sample] | None = None
        self._in_a_row = 0
        self.count = 0  # frames that made no sense, so far

    def makes_sense(self, inputs: Sample, outputs: Mapping[str, AnyArray]) -> bool:
        """``inputs`` as sample_inputs took them; raises EngineError with the likely cause after too many faults."""
        sampled = {name: _rows(array).copy() for name, array in outputs.items()}
        fault = next(self._faults(inputs, sampled), "")
        self._last = inputs, sampled
        self._in_a_row = self._in_a_row + 1 if fault else 0
        if fault:
            self._count(fault)
        return not fault

    def _count(self, fault: str) -> None:
        self.count += 1
        if self._in_a_row >= FAULT_AFTER:
            raise EngineError(f"{FAULT_AFTER} results in a row make no sense: {fault}")
        if self.count & (self.count - 1) == 0:  # 1, 2, 4, 8...: a fault that comes and goes must not fill the log
            logger.warning("a result makes no sense and gives no depth, {} so far: {}", self.count, fault)

    def _faults(self, inputs: Sample, sampled: Sample) -> Iterator[str]:
        for name, rows in sampled.items():
            finite = rows[np.isfinite(rows)]
            if not finite.size:
                yield f"no value of {name} is a number; {NO_NUMBERS}"
            elif name in self._limits:
                yield from _beyond(name, finite, *self._limits[name])
        if all(map(_is_flat, inputs.values())):  # a covered camera may well give a flat result
            return
        for name in ("disparity", "parts", "warp"):
            if name in sampled and _is_flat(sampled[name]):
                yield f"every value of {name} is {sampled[name].flat[0]:g}; {FLAT}"
        if self._last is not None and _is_changed(inputs, self._last[0]):
            yield from _old(sampled, self._last[1])


def _beyond(name: str, finite: AnyArray, low: float, high: float) -> Iterator[str]:
    least, most = finite.min(), finite.max()
    if (least < low or most > high) and _share_outside(finite, low, high) > MOST_OUTSIDE:
        yield f"{name} is from {least:g} to {most:g}; {SCALE}"
    elif most - least > 2 and _are_whole(finite[:64]) and _are_whole(finite):
        yield f"{name} is in whole numbers from {least:g} to {most:g}; {SCALE}"


def _are_whole(values: AnyArray) -> bool:
    return np.array_equal(values, np.rint(values))


def _share_outside(values: AnyArray, low: float, high: float) -> float:
    return float(np.count_nonzero((values < low) | (values > high)) / values.size)


def _old(sampled: Sample, before: Sample) -> Iterator[str]:
    for name, rows in sampled.items():
        if not _is_flat(rows) and np.array_equal(rows, before[name]):
            yield f"{name} is equal to the bit for images that are not; {OLD}"


def _rows(array: AnyArray) -> AnyArray:
    return array.reshape(-1, array.shape[-1])[:: max(1, array.size // SAMPLED)]


def _is_flat(rows: AnyArray) -> bool:
    return bool(rows.size and rows[0, 0] == rows[-1, -1] and (rows == rows[0, 0]).all())


def _is_changed(inputs: Sample, before: Sample) -> bool:
    return any(np.count_nonzero(rows != before[name]) > CHANGED * rows.size for name, rows in inputs.items())
