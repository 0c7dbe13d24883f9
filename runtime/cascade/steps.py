"""Host steps: what lies between two graphs of a model. A new one is a class, a line in STEPS and a word of the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from roma_device.calibration.arrays import AnyArray, Size
from roma_device.runtime.card import HostStep, ModelCard, ModelError, Stage

from .graph import RunnableGraph
from .right_features import RightFeatures
from .right_image import RightImage


class Step(Protocol):
    """Fills the inputs of a later graph."""

    def begin(self, first: RunnableGraph, inputs: Mapping[str, AnyArray]) -> None:
        """What stays the same in all passes over a pair, once the ``first`` graph has run on it."""

    def __call__(self, found: Mapping[str, AnyArray], inputs: Mapping[str, AnyArray]) -> None:
        """All else, before each pass, from what the graph before it has given."""


class StepKind(Protocol):
    """A class of steps."""

    def __call__(self, stage: Stage, size: Size, /) -> Step:
        """Before ``stage``, for images of ``size``."""

    def mistake(self, first: Stage, before: Stage, stage: Stage, /) -> str:
        """What it cannot do between ``before`` and ``stage`` of a model that starts with ``first``; empty: nothing."""


STEPS: Mapping[HostStep, StepKind] = {"warp_right": RightImage, "warp_features": RightFeatures}


def step_before(stage: Stage, size: Size) -> Step:
    """Of a stage behind the first."""
    assert stage.host is not None, "the card's reader asks for it"
    return STEPS[stage.host](stage, size)


def check_stages(card: ModelCard) -> None:
    """Raise ModelError where the host cannot do what lies between the stages of ``card``."""
    for before, stage in zip(card.stages, card.stages[1:], strict=False):
        assert stage.host is not None
        if mistake := STEPS[stage.host].mistake(card.stages[0], before, stage):
            raise ModelError(f"model {card.name}: between {before.name} and {stage.name} {mistake}")
    specs = [spec for stage in card.stages for spec in (*stage.inputs, *stage.outputs)]
    foreign = [spec.name for spec in specs if spec.dtype != "float32" or spec.layout != "NCHW"]
    if foreign:
        raise ModelError(f"model {card.name}: {foreign[0]} must be float32 in NCHW, which the host reckons in")
