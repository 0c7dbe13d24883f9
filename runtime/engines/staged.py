"""Several graphs on a host engine as if they were one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace

from roma_device.runtime.card import ModelCard
from roma_device.runtime.cascade.sequence import Cascade
from roma_device.runtime.engine import Array, Engine, EngineOptions, engine_facts

from .host import common_precision

OpenEngine = Callable[[ModelCard, EngineOptions], Engine]


class StagedEngine:
    """A model of several stages, each in an engine of its own; ``outputs`` are those of the cascade."""

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]

    def __init__(self, card: ModelCard, options: EngineOptions, name: str, open_one: OpenEngine) -> None:
        """``open_one`` opens the engine ``name`` for a model of one graph; raises what it raises."""
        precision = common_precision(card, name, options.precision)
        alike = replace(options, precision=precision, passes=None)
        with ExitStack() as stack:
            self.graphs: list[Engine] = []
            for graph in card.graphs:
                self.graphs.append(open_one(graph, alike))
                stack.callback(self.graphs[-1].close)
            self._cascade = Cascade(card, options.size, self.graphs, options.passes)
            self._resources = stack.pop_all()
        self.engine_name = name
        self.inputs, self.outputs = self.graphs[0].inputs, self._cascade.outputs
        self.facts = {**engine_facts(self.graphs[0]), "graphs": str(self._cascade.runs)}

    def run(self) -> None:
        self._cascade.run()

    def close(self) -> None:
        self._resources.close()
