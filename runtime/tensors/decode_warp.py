"""Postprocessing of a two-view network's dense warp: the one place where normalized coordinates become pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roma_device.calibration.arrays import FloatImage
from roma_device.calibration.size import Size
from roma_device.runtime.card import Task
from roma_device.runtime.types import Matches

from .input_plan import InputPlan


def decode_two_view(outputs: Mapping[str, npt.NDArray[Any]], plan: InputPlan, size: Size, task: Task) -> Matches:
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


def _enlarged(values: npt.NDArray[Any], plan: InputPlan, size: Size) -> FloatImage:
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
