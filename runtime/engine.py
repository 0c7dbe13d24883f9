"""Engines: whatever runs a network."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from roma_device.calibration.errors import RomaError

from .card import ModelCard, ModelError, TensorSpec

Array = npt.NDArray[Any]

ENGINES: dict[str, str] = {
    "opencv": "roma_device.runtime.engines.opencv:OpenCVEngine",
    "onnx": "roma_device.runtime.engines.onnx:OnnxEngine",
    "openvino": "roma_device.runtime.engines.openvino:OpenVinoEngine",
}
"""Name -> "module:Class"; a module is imported only when its engine is asked for."""

AUTO_ORDER: tuple[str, ...] = ("openvino", "onnx", "opencv")
"""What "auto" tries: the fastest first, by process CPU time of the bundled model on x86-64."""


class EngineError(RomaError):
    """An engine that is not installed, or that failed to load or run a model."""

    exit_code = os.EX_UNAVAILABLE


class Engine(Protocol):
    """A loaded network with its buffers.

    Write into ``inputs[name]``, call ``run()``, read ``outputs[name]``: the arrays are allocated once
    and stay the same. Not thread-safe.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]

    def run(self) -> None:
        """One inference; raises EngineError."""

    def close(self) -> None:
        """Free everything; safe to call twice."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What may be chosen when an engine is opened."""

    size: tuple[int, int]  # width, height of the network's input in px
    threads: int = 0  # 0: the engine's own choice


def engine_class(name: str) -> Any:
    """The class behind ``name``; raises EngineError for an unknown name or a missing package."""
    if name not in ENGINES:
        raise EngineError(f"unknown engine {name!r}; known: auto, {', '.join(ENGINES)}", exit_code=os.EX_USAGE)
    module, _, attribute = ENGINES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def open_engine(card: ModelCard, name: str, options: EngineOptions) -> Engine:
    """Load ``card``'s model into the engine ``name``, or for "auto" into the first that can."""
    check_size(card, options.size)
    if name != "auto":
        return _open(card, name, options)
    reasons: list[str] = []
    for candidate in AUTO_ORDER:
        try:
            return _open(card, candidate, options)
        except EngineError as error:
            reasons.append(str(error))
    raise EngineError("no engine can run this model: " + "; ".join(reasons))


def _open(card: ModelCard, name: str, options: EngineOptions) -> Engine:
    engine: Engine = engine_class(name)(card, options)
    return engine


def check_size(card: ModelCard, size: tuple[int, int]) -> None:
    """Raise ModelError where the model cannot take an input of ``size`` (width, height)."""
    fixed, multiple = card.fixed_size(), card.size_multiple
    if fixed is not None and fixed != size:
        raise ModelError(f"model {card.name} takes {fixed[0]}x{fixed[1]} px only, not {size[0]}x{size[1]}")
    if size[0] % multiple or size[1] % multiple or min(size) <= 0:
        raise ModelError(f"model {card.name} takes multiples of {multiple} px, not {size[0]}x{size[1]}")


def allocate(specs: tuple[TensorSpec, ...], size: tuple[int, int]) -> dict[str, Array]:
    """Zeroed arrays for ``specs``; open dimensions are (height, width) of ``size``."""
    width, height = size
    return {
        spec.name: np.zeros(
            tuple(
                known if known is not None else open_size
                for known, open_size in zip(spec.shape, (1, 1, height, width), strict=True)
            ),
            dtype=spec.dtype,
        )
        for spec in specs
    }
