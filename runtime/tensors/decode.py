"""Postprocessing of network outputs: disparity and certainty, resized, to matches in pixels of the left image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatImage
from roma_device.calibration.size import Size
from roma_device.runtime.card import ModelCard, TensorSpec
from roma_device.runtime.types import Matches

from .bfloat16 import to_float32
from .decode_warp import decode_two_view, linear
from .input_plan import InputPlan

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


def decode(card: ModelCard, outputs: Mapping[str, npt.NDArray[Any]], plan: InputPlan, size: Size) -> Matches:
    """Matches at ``size`` from what a model of ``card`` gave: a disparity, or a warp."""
    numbers = as_numbers(outputs, card.outputs)
    if "warp" in numbers:
        return decode_two_view(numbers, plan, size, card.task)
    return decode_stereo(numbers, plan, size)


def decode_stereo(outputs: Mapping[str, npt.NDArray[Any]], plan: InputPlan, size: Size) -> Matches:
    """``outputs["disparity"]`` and ``["certainty"]``, each (1, 1, H, W) at network size or at a fraction of its
    own -> Matches at ``size``.

    Disparities are in px of the network's input and scale with the width. A value that is not finite becomes
    disparity 0 with certainty 0.
    """
    disparity, unknown = _finite(outputs["disparity"][0, 0])
    certainty, _ = _finite(outputs["certainty"][0, 0])
    disparity, certainty = _content(disparity, plan, _by_surface), _content(certainty, plan, linear)
    if unknown is not None:
        certainty[_content(unknown, plan, linear) > 0] = 0
    if size != plan.content:
        disparity, certainty = resize_disparity(disparity, size), linear(certainty, size)
    np.maximum(disparity, 0, out=disparity)
    return Matches(np.clip(certainty, 0, 1, out=certainty), disparity)


def _finite(values: npt.NDArray[Any]) -> tuple[FloatImage, FloatImage | None]:
    """``values`` with 0 for what is not finite, and 1 where that was so; None: nowhere."""
    numbers = np.array(values, np.float32)
    broken = ~np.isfinite(numbers)
    if not broken.any():
        return numbers, None
    numbers[broken] = 0
    return numbers, np.asarray(broken, np.float32)


def _content(values: FloatImage, plan: InputPlan, enlarge: Callable[[FloatImage, Size], FloatImage]) -> FloatImage:
    """The part of an output that shows the image, at network resolution."""
    width, height = plan.content
    if values.shape[::-1] != plan.network:
        values = enlarge(values, plan.network)
    return values[:height, :width]


def _by_surface(values: FloatImage, size: Size) -> FloatImage:
    """Smooth within a surface; at depth edges the nearest value is taken, so that no surface appears in the
    empty space between near and far."""
    smooth, nearest = linear(values, size), cv2.resize(values, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(np.where(np.abs(smooth - nearest) > EDGE_PX, nearest, smooth), np.float32)


def resize_disparity(disparity_px: FloatImage, size: Size) -> FloatImage:
    """Resize to ``size``, surface by surface, and scale the values with the width."""
    return np.asarray(_by_surface(disparity_px, size) * np.float32(size[0] / disparity_px.shape[1]), np.float32)
