"""From the network's outputs to matches in pixels of the rectified left image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .bfloat16 import to_float32
from .card import TensorSpec
from .input_plan import InputPlan
from .types import FloatImage, Matches

EDGE_PX = 1.0
"""Neighbouring disparities that differ by more belong to different surfaces and are not mixed."""


def as_numbers(
    outputs: Mapping[str, npt.NDArray[Any]], specs: tuple[TensorSpec, ...]
) -> Mapping[str, npt.NDArray[Any]]:
    """``outputs`` with bfloat16, which an engine gives as bits, turned into float32; all others as they are."""
    if all(spec.dtype != "bfloat16" for spec in specs):
        return outputs
    return {
        spec.name: to_float32(outputs[spec.name]) if spec.dtype == "bfloat16" else outputs[spec.name] for spec in specs
    }


def decode_stereo(outputs: Mapping[str, npt.NDArray[Any]], plan: InputPlan, size: tuple[int, int]) -> Matches:
    """``outputs["disparity"]`` and ``["certainty"]``, each (1, 1, H, W) at network size -> Matches at
    ``size`` (width, height).

    Disparities scale with the width. A value that is not finite becomes disparity 0 with certainty 0.
    """
    width, height = plan.content
    disparity = np.array(outputs["disparity"][0, 0, :height, :width], np.float32)
    certainty = np.array(outputs["certainty"][0, 0, :height, :width], np.float32)
    broken = ~(np.isfinite(disparity) & np.isfinite(certainty))
    if broken.any():
        disparity[broken], certainty[broken] = 0, 0
    if size != plan.content:
        disparity = resize_disparity(disparity, size)
        certainty = np.asarray(cv2.resize(certainty, size, interpolation=cv2.INTER_LINEAR), np.float32)
    np.maximum(disparity, 0, out=disparity)
    return Matches(np.clip(certainty, 0, 1, out=certainty), disparity)


def resize_disparity(disparity_px: FloatImage, size: tuple[int, int]) -> FloatImage:
    """Resize to ``size`` (width, height) and scale the values with the width.

    Smooth within a surface; at depth edges the nearest value is taken, so that no surface appears
    in the empty space between near and far.
    """
    smooth = cv2.resize(disparity_px, size, interpolation=cv2.INTER_LINEAR)
    nearest = cv2.resize(disparity_px, size, interpolation=cv2.INTER_NEAREST_EXACT)
    mixed = np.where(np.abs(smooth - nearest) > EDGE_PX, nearest, smooth)
    return np.asarray(mixed * np.float32(size[0] / disparity_px.shape[1]), np.float32)
