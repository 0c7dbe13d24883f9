"""Cascade: the graphs of a model in their order, and between them what the host does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from roma_device.calibration.arrays import AnyArray, Size
from roma_device.runtime.card import ModelCard, ModelError

from .doubt import FirstDoubt
from .found import Found
from .warp import INPUTS, WarpRight


class RunnableGraph(Protocol):
    """One graph with its buffers, on whatever runs it."""

    @property
    def inputs(self) -> Mapping[str, Any]: ...

    @property
    def outputs(self) -> Mapping[str, Any]: ...

    def run(self) -> None: ...


class Cascade:
    """Runs a model of several graphs, whose buffers the caller owns; not thread-safe, and nothing is allocated.

    ``outputs`` are those of the whole: the last graph's, but for the certainty, which the first one's doubt lowers.
    """

    def __init__(self, card: ModelCard, size: Size, graphs: Sequence[RunnableGraph], passes: int | None = None) -> None:
        """``passes`` of the later graphs instead of what the card says; raises ModelError."""
        check_stages(card)
        self._first, self._later = graphs[0], graphs[1:]
        self._passes = [passes or stage.passes for stage in card.stages[1:]]
        self._warp, self._found, self._doubt = WarpRight(size), Found(size), FirstDoubt(graphs[-1].outputs)
        self.outputs = MappingProxyType({**graphs[-1].outputs, "certainty": self._doubt.certainty})

    @property
    def runs(self) -> int:
        """How many graphs run for one pair."""
        return 1 + sum(self._passes)

    def run(self) -> None:
        """From the first graph's inputs to ``outputs``; raises what a graph raises."""
        self._first.run()
        self._doubt.remember(self._first.outputs)
        before = self._first
        for graph, passes in zip(self._later, self._passes, strict=True):
            np.copyto(graph.inputs["left"], self._first.inputs["left"])
            for _ in range(passes):
                self.prepare(before.outputs, graph.inputs)
                graph.run()
                before = graph
        self._doubt.apply()

    def prepare(self, outputs: Mapping[str, AnyArray], inputs: Mapping[str, AnyArray]) -> None:
        """The host's step: from a graph's ``outputs`` to the ``inputs`` of the one that runs next, besides ``left``."""
        self._found.read(outputs)
        self._warp(self._first.inputs["right"][0, 0], self._found.disparity_px, self._found.certainty, inputs)


def check_stages(card: ModelCard) -> None:
    """Raise ModelError where the host cannot do what lies between the stages of ``card``."""
    for before, stage in zip(card.stages, card.stages[1:], strict=False):
        given, taken = {spec.name for spec in before.outputs}, {spec.name for spec in stage.inputs}
        if given not in ({"disparity", "certainty"}, {"parts", "certainty"}) or taken != set(INPUTS):
            raise ModelError(
                f"model {card.name}: between {before.name} and {stage.name} the host warps the right image, from "
                f"disparity or parts and certainty to {', '.join(INPUTS)}; the card has {', '.join(sorted(given))} "
                f"and {', '.join(sorted(taken))}"
            )
    specs = [spec for stage in card.stages for spec in (*stage.inputs, *stage.outputs)]
    foreign = [spec.name for spec in specs if spec.dtype != "float32" or spec.layout != "NCHW"]
    if foreign:
        raise ModelError(f"model {card.name}: {foreign[0]} must be float32 in NCHW, which the host reckons in")
