"""Cascade: the graphs of a model in their order, and between them what the host does."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard

from .doubt import FirstDoubt
from .graph import RunnableGraph
from .steps import check_stages, step_before


class Cascade:
    """Runs a model of several graphs, whose buffers the caller owns; not thread-safe.

    ``outputs`` are those of the whole: the last graph's, but behind a warped image for the certainty, which the first
    one's doubt lowers.
    """

    def __init__(self, card: ModelCard, size: Size, graphs: Sequence[RunnableGraph], passes: int | None = None) -> None:
        """``passes`` of the later graphs instead of what the card says; raises ModelError."""
        check_stages(card)
        later, self._first = card.stages[1:], graphs[0]
        self._passes = [passes or stage.passes for stage in later]
        self._later = [(step_before(stage, size), graph) for stage, graph in zip(later, graphs[1:], strict=True)]
        last = graphs[-1].outputs
        self._doubt = FirstDoubt(last) if later[-1].host == "warp_right" else None
        self.outputs = last if self._doubt is None else MappingProxyType({**last, "certainty": self._doubt.certainty})

    @property
    def runs(self) -> int:
        """How many graphs run for one pair."""
        return 1 + sum(self._passes)

    def run(self) -> None:
        """From the first graph's inputs to ``outputs``; raises what a graph raises."""
        self._first.run()
        if self._doubt:
            self._doubt.remember(self._first.outputs)
        before = self._first
        for (step, graph), passes in zip(self._later, self._passes, strict=True):
            step.begin(self._first, graph.inputs)
            for _ in range(passes):
                step(before.outputs, graph.inputs)
                graph.run()
                before = graph
        if self._doubt:
            self._doubt.apply()
