"""Inputs of the network: their resolution and padding, and a checked copy of arrays into an engine's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import Array, EngineError, check_size

TALLEST = 4
"""Rows over columns up to which an image is enlarged to the width that was asked for."""


@dataclass(frozen=True, slots=True)
class InputPlan:
    """The image fills the top left ``content`` of the network's input; the rest repeats its border.

    Sizes are (width, height) in px.
    """

    content: Size
    network: Size


def plan_input(card: ModelCard, image: Size, width: int) -> InputPlan:
    """Fixed-size models take the whole image squeezed to their size: a change of height leaves disparities
    alone. Models of open size take ``width`` columns, or ``card.enlarge`` times as many, with the aspect kept, and
    fewer where an image is over TALLEST times as tall as wide.

    Raises ModelError where the model cannot take such a size.
    """
    fixed = card.fixed_size()
    if fixed is not None:
        return InputPlan(fixed, fixed)
    width = _width(round(width * card.enlarge), image)
    content = Size(width, max(1, round(image[1] * width / image[0])))
    network = Size(_next_multiple(content[0], card.size_multiple), _next_multiple(content[1], card.size_multiple))
    check_size(card, network)
    return InputPlan(content, network)


def _width(width: int, image: Size) -> int:
    """Less where an image much taller than wide would have its rows enlarged beyond measure."""
    most_rows = max(image[1], TALLEST * width)
    return min(width, max(1, image[0] * most_rows // image[1]))


def _next_multiple(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def set_inputs(inputs: Mapping[str, Array], arrays: Mapping[str, Array]) -> None:
    """Copy ``arrays`` into ``inputs``, all of them, whatever their order in memory, strides and byte order.

    Shapes must be equal: numpy would repeat smaller ones silently. Types may change where every number stays what it
    is, and between float types, where it is rounded. Raises EngineError naming the input.
    """
    if set(arrays) != set(inputs):
        raise EngineError(f"the network takes {', '.join(inputs)}; given is {', '.join(arrays) or 'nothing'}")
    for name, array in arrays.items():
        _check(name, np.asarray(array), inputs[name])
    for name, array in arrays.items():
        inputs[name][...] = array


def _check(name: str, array: Array, target: Array) -> None:
    if array.shape != target.shape:
        raise EngineError(f"input {name} takes the shape {_text(target)}, not {_text(array)}")
    floats = array.dtype.kind == target.dtype.kind == "f"
    if not floats and not np.can_cast(array.dtype, target.dtype, "safe"):
        raise EngineError(f"input {name} takes {target.dtype}, into which {array.dtype} does not fit: convert it first")


def _text(array: Array) -> str:
    return "x".join(map(str, array.shape)) or "of a single number"
