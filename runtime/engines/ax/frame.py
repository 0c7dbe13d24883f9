"""All that one frame needs on the NPU: buffers of every graph of the model, and the order in which they run."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from roma_device.runtime.card import ModelCard
from roma_device.runtime.cascade.sequence import Cascade
from roma_device.runtime.engine import Array, EngineOptions

from .buffers import BufferSet
from .library import AxLibraries
from .model import AxModel


@dataclass(frozen=True, slots=True)
class AxGraph:
    """One loaded graph on buffers of its own."""

    libraries: AxLibraries
    model: AxModel
    buffers: BufferSet
    on_done: Callable[[], None]

    @property
    def inputs(self) -> Mapping[str, Array]:
        return self.buffers.inputs

    @property
    def outputs(self) -> Mapping[str, Array]:
        return self.buffers.outputs

    def execute(self) -> None:
        """On what the NPU sees; ctypes gives other threads their turn while the call lasts."""
        handle, context = self.model.handle, self.model.context
        self.libraries.engine.check("AX_ENGINE_RunSyncV2", handle, context, ctypes.byref(self.buffers.io))

    def run(self) -> None:
        """From inputs that the CPU wrote to outputs that it reads."""
        self.buffers.flush_inputs()
        self.execute()
        self.buffers.invalidate_outputs()
        self.on_done()


class FrameBuffers:
    """One of the sets of double buffering: the first graph's inputs, the outputs, and what lies between.

    ``flush_inputs`` comes before ``run``, and ``invalidate_outputs`` behind it.
    """

    def __init__(self, graphs: Sequence[AxGraph], card: ModelCard, options: EngineOptions) -> None:
        self._graphs = graphs
        self._cascade = Cascade(card, options.size, graphs, options.passes) if card.stages else None
        self.inputs = graphs[0].inputs
        self.outputs = self._cascade.outputs if self._cascade else graphs[-1].outputs

    def flush_inputs(self) -> None:
        self._graphs[0].buffers.flush_inputs()

    def run(self) -> None:
        """In the NPU's thread, the host's part between the graphs too: the next frame is prepared meanwhile."""
        if self._cascade is None:
            self._graphs[0].execute()
        else:
            self._cascade.run()

    def invalidate_outputs(self) -> None:
        for graph in self._graphs:
            graph.buffers.invalidate_outputs()


def frame_buffers(
    libraries: AxLibraries,
    models: Sequence[AxModel],
    card: ModelCard,
    options: EngineOptions,
    stack: ExitStack,
    on_done: Callable[[], None],
) -> FrameBuffers:
    """Buffers for ``models``, the graphs of ``card``, freed by ``stack``; ``on_done`` follows each graph's run."""
    graphs = [AxGraph(libraries, model, BufferSet(libraries.sys, model, stack), on_done) for model in models]
    return FrameBuffers(graphs, card, options)
