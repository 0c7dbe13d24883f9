"""Input resolution and padding of the network."""

from __future__ import annotations

from dataclasses import dataclass

from roma_device.calibration.size import Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import check_size


@dataclass(frozen=True, slots=True)
class InputPlan:
    """The image fills the top left ``content`` of the network's input; the rest repeats its border.

    Sizes are (width, height) in px.
    """

    content: Size
    network: Size


def plan_input(card: ModelCard, image: Size, width: int) -> InputPlan:
    """Fixed-size models take the whole image squeezed to their size: a change of height leaves disparities
    alone. Models of open size take ``width`` columns with the aspect kept.

    Raises ModelError where the model cannot take such a size.
    """
    fixed = card.fixed_size()
    if fixed is not None:
        return InputPlan(fixed, fixed)
    content = Size(width, max(1, round(image[1] * width / image[0])))
    network = Size(_next_multiple(content[0], card.size_multiple), _next_multiple(content[1], card.size_multiple))
    check_size(card, network)
    return InputPlan(content, network)


def _next_multiple(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
