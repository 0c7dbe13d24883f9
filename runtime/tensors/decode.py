"""Postprocessing of network outputs: disparity or warp, and certainty, resized, to matches in pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from roma_device.calibration.arrays import AnyArray, FloatImage, Size
from roma_device.runtime.card import Task, TensorSpec
from roma_device.runtime.types import Matches

from .bfloat16 import to_float32
from .cells import from_parts
from .inputs import InputPlan


def decode_two_view(outputs: Mapping[str, AnyArray], plan: InputPlan, size: Size, task: Task) -> Matches:
    """``outputs["warp"]`` (1, 2, h, w) and ``["certainty"]`` (1, 1, h, w) -> Matches at ``size``.

    The warp holds x and y in the right image in [-1, 1] from border to border: pixel CORNER convention, in which
    the first pixel's centre lies at ``1 / W - 1``. Matches count from pixel centres, hence ``x W / 2 + W / 2 - 1 / 2``.
    The certainty is a logit. Both are enlarged as they are and converted then, as the release does.

    For the task "stereo" the result holds the disparity, for "two_view" the warp. Values that are not finite
    become a match with the pixel's own position and certainty 0.
    """
    position = [_enlarged(outputs["warp"][0, axis], plan, size) for axis in (0, 1)]
    logit = _enlarged(outputs["certainty"][0, 0], plan, size)
    rows, columns = (np.arange(count, dtype=np.float32) for count in size[::-1])
    x = _to_pixels(position[0], plan.network[0], plan.content[0], size[0])
    y = _to_pixels(position[1], plan.network[1], plan.content[1], size[1])
    certainty = _sigmoid(logit)
    broken = ~(np.isfinite(x) & np.isfinite(y) & np.isfinite(certainty))
    if broken.any():
        own_x, own_y = np.meshgrid(columns, rows)
        x[broken], y[broken], certainty[broken] = own_x[broken], own_y[broken], 0
    if task == "stereo":
        return Matches(certainty, disparity_px=np.maximum(columns - x, 0))
    return Matches(certainty, two_view_warp=np.dstack([x, y]))


def _enlarged(values: AnyArray, plan: InputPlan, size: Size) -> FloatImage:
    """The part of an output that shows the image, at ``size``."""
    values = np.asarray(values, np.float32)
    if plan.content != plan.network:
        values = linear(values, plan.network)[: plan.content[1], : plan.content[0]]
    return linear(values, size)


def linear(values: FloatImage, size: Size) -> FloatImage:
    """Bilinear resampling to ``size``."""
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _to_pixels(position: FloatImage, network: int, content: int, image: int) -> FloatImage:
    """Along one axis: [-1, 1] over the network's input -> pixel centres of an image that fills ``content`` of it."""
    scale = image / content
    return np.asarray(position * (network / 2 * scale) + (network / 2 * scale - 0.5), np.float32)


def _sigmoid(logit: FloatImage) -> FloatImage:
    return np.asarray(1 / (1 + cv2.exp(np.clip(-logit, -80, 80))), np.float32)


EDGE_PX = 1.0
"""Neighbouring disparities that differ by more belong to different surfaces and are not mixed."""


def as_numbers(outputs: Mapping[str, AnyArray], specs: tuple[TensorSpec, ...]) -> Mapping[str, AnyArray]:
    """``outputs`` with bfloat16, which an engine gives as bits, turned into float32; all others as they are."""
    if all(spec.dtype != "bfloat16" for spec in specs):
        return outputs
    return {
        spec.name: to_float32(outputs[spec.name]) if spec.dtype == "bfloat16" else outputs[spec.name] for spec in specs
    }


def decode(task: Task, numbers: Mapping[str, AnyArray], plan: InputPlan, size: Size) -> Matches:
    """Matches at ``size`` from what a model for ``task`` gave, as ``as_numbers`` has it: a disparity, or a warp."""
    if "warp" in numbers:
        return decode_two_view(numbers, plan, size, task)
    return decode_stereo(numbers, plan, size)


def decode_stereo(outputs: Mapping[str, AnyArray], plan: InputPlan, size: Size) -> Matches:
    """``outputs["disparity"]`` and ``["certainty"]``, each (1, 1, H, W) at network size or at a fraction of its
    own, or ``["parts"]`` (1, 8, H/4, W/2) instead of the disparity -> Matches at ``size``.

    Disparities are in px of the network's input and scale with the width. A value that is not finite becomes
    disparity 0 with certainty 0.
    """
    found = from_parts(outputs["parts"]) if "parts" in outputs else outputs["disparity"][0, 0]
    disparity, unknown_disparity = _finite(found)
    certainty, unknown_certainty = _finite(outputs["certainty"][0, 0])
    disparity, certainty = _content(disparity, plan, _by_surface), _content(certainty, plan, linear)
    if size != plan.content:
        disparity, certainty = resize_disparity(disparity, size), linear(certainty, size)
    for unknown in (unknown_disparity, unknown_certainty):
        if unknown is not None:
            certainty[linear(_content(unknown, plan, linear), size) > 0] = 0
    np.maximum(disparity, 0, out=disparity)
    return Matches(np.clip(certainty, 0, 1, out=certainty), disparity)


def _finite(values: AnyArray) -> tuple[FloatImage, FloatImage | None]:
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
