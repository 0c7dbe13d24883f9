"""bfloat16, the upper half of a float32, which numpy does not know: arrays of it are their bits as uint16."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatImage

Bits = npt.NDArray[np.uint16]


def to_float32(bits: Bits) -> FloatImage:
    """The numbers that ``bits`` stand for, exactly; same shape."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def from_float32(values: npt.NDArray[Any]) -> Bits:
    """The nearest bfloat16 of each value, ties to even; NaN stays NaN. Same shape."""
    single = np.ascontiguousarray(values, np.float32)
    bits = single.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) >> 16
    return np.asarray(np.where(np.isnan(single), np.uint32(0x7FC0), rounded), np.uint16)
