"""Test vectors of the single graphs of a model of several: each on what it really gets, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelCard
from roma_device.runtime.cascade.sequence import Cascade
from roma_device.runtime.engine import Array, Engine
from roma_device.runtime.engines.staged import StagedEngine

Tensors = Mapping[str, Array]
Add = Callable[[Tensors, Tensors], None]


def stage_folders(card: ModelCard, root: Path) -> dict[str, Path]:
    """Stage -> its folder of vectors below that of the whole; empty for a model of one graph."""
    return {stage.name: root / stage.name for stage in card.stages}


@dataclass(slots=True)
class Recorded:
    """A graph that hands over what its first run since ``is_done`` was cleared took and gave."""

    engine: Engine
    add: Add
    is_done: bool = False
    inputs: Mapping[str, Any] = field(init=False)
    outputs: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.inputs, self.outputs = self.engine.inputs, self.engine.outputs

    def run(self) -> None:
        self.engine.run()
        if not self.is_done:
            self.add(self.inputs, self.outputs)
            self.is_done = True


def record_stages(engine: StagedEngine, card: ModelCard, size: Size, adds: Sequence[Add]) -> None:
    """Run ``engine``, of ``card``, once on its inputs as they are; each of ``adds`` gets one stage's tensors."""
    graphs = [Recorded(one, add) for one, add in zip(engine.graphs, adds, strict=True)]
    Cascade(card, size, graphs, passes=1).run()
