"""Shapes and constants that are known of a graph so far, and the rules that inference and folding share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .graph import Array, Node

Shape = tuple[int, ...]


@dataclass(slots=True)
class Known:
    """What is known so far."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)

    def shape(self, node: Node, place: int) -> Shape:
        """Of an input; raises LookupError where it is unknown."""
        return self.shapes[node.inputs[place]]

    def numbers(self, node: Node, place: int) -> list[int]:
        """An input that is a constant; raises LookupError where it is none."""
        return [int(x) for x in self.constants[node.inputs[place]].reshape(-1)]

    def given(self, node: Node, place: int) -> bool:
        return len(node.inputs) > place and node.inputs[place] != ""


def axes_of(node: Node, known: Known, place: int = 1) -> list[int]:
    """As an attribute until opset 12 or 17, as an input from then on."""
    if known.given(node, place):
        return known.numbers(node, place)
    return [int(axis) for axis in node.attributes.get("axes", ())]


def reshaped(node: Node, known: Known) -> Shape:
    old, wanted = known.shape(node, 0), known.numbers(node, 1)
    sizes = [old[place] if size == 0 else size for place, size in enumerate(wanted)]
    rest = int(np.prod([size for size in sizes if size > 0], dtype=np.int64))
    return tuple(int(np.prod(old, dtype=np.int64)) // rest if size < 0 else size for size in sizes)


def squeezed(node: Node, known: Known) -> Shape:
    shape, axes = known.shape(node, 0), axes_of(node, known)
    gone = {axis % len(shape) for axis in axes} if axes else {k for k, size in enumerate(shape) if size == 1}
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def unsqueezed(node: Node, known: Known) -> Shape:
    shape, axes = list(known.shape(node, 0)), axes_of(node, known)
    rank = len(shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    return tuple(shape)


def shape_part(node: Node) -> slice:
    """Which axes an operator Shape tells: all, or from ``start`` to ``end`` since opset 15."""
    start, end = node.attributes.get("start"), node.attributes.get("end")
    return slice(None if start is None else int(start), None if end is None else int(end))
