"""Engines: whatever runs a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from loguru import logger

from roma_device.calibration.arrays import Size
from roma_device.calibration.errors import RomaError

from . import registry
from .card import ModelCard, ModelError, TensorSpec

Array = npt.NDArray[Any]

ENGINES: dict[str, str] = {
    "opencv": "roma_device.runtime.engines.opencv:OpenCVEngine",
    "onnx": "roma_device.runtime.engines.onnx:OnnxEngine",
    "openvino": "roma_device.runtime.engines.openvino:OpenVinoEngine",
    "axcl": "roma_device.runtime.engines.axcl.engine:AxclEngine",
    "ax": "roma_device.runtime.engines.ax.engine:AxEngine",
}
"""Name -> "module:Class"; a module is imported only when its engine is asked for."""

STAGED = {"staged": "roma_device.runtime.engines.staged:StagedEngine"}
"""What runs models of several graphs on an engine that runs one; those of NPUs take them as they are."""

AUTO_ORDER: tuple[str, ...] = ("axcl", "ax", "openvino", "onnx", "opencv")
"""What "auto" tries: an NPU, then the fastest first, by process CPU time of the bundled model on x86-64."""

AUTO_NODES: dict[str, str] = {"axcl": "/dev/axcl_host", "ax": "/dev/ax_sys"}
"""Device node without which "auto" passes an engine over and does not even look for its library."""


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


@runtime_checkable
class OverlappingEngine(Engine, Protocol):
    """An engine with two sets of buffers: one can be filled and read while the network runs on the other.

    Fill ``inputs``, ``start()``; fill the other set that ``inputs`` then is, ``start()``; ``finish()``, read
    ``outputs``, and so on. ``run()`` works on one set alone, and only while nothing is started.
    """

    def start(self) -> None:
        """Begin an inference on ``inputs``, which then becomes the other set; at most two at a time.

        With two under way no set is free: ``finish()`` comes before ``inputs`` is written again.
        """

    def finish(self) -> float:
        """Wait for the inference that began first; ``outputs`` holds its results until its set is started again.

        Returns how long the network ran, in ms; raises EngineError.
        """


Precision = Literal["auto", "fp32", "int8"]
NpuMode = Literal["auto", "disable", "enable", "big_little", "little_big"]


@dataclass(frozen=True, slots=True)
class NpuOptions:
    """Choices for the NPU of a board; engines without one ignore them."""

    mode: NpuMode = "auto"  # division into virtual NPUs; auto: as it is, undivided where nobody uses it
    device: int = 0  # which PCIe card, counted from 0
    affinity: int = 0  # bit mask of the cores to use; 0: the runtime's choice
    library_dir: Path | None = None  # folder of the vendor's libraries; None: they are searched
    run_limit_s: float = 10.0  # an inference that takes longer counts as a hang
    overlap: bool = True  # prepare the next frame while the network runs


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What may be chosen when an engine is opened."""

    size: Size  # of the network's input in px
    threads: int = 0  # 0: the engine's own choice
    npu: NpuOptions = NpuOptions()
    precision: Precision = "auto"  # of a host engine; auto: the faster one
    passes: int | None = None  # of the later graphs of a model of several; None: as the card says


def engine_class(name: str) -> Any:
    """The class behind ``name``; raises EngineError for an unknown name or a missing package."""
    if name not in ENGINES:
        raise EngineError(f"unknown engine {name!r}; known: auto, {', '.join(ENGINES)}", exit_code=os.EX_USAGE)
    return registry.load(ENGINES, name)


def open_engine(card: ModelCard, name: str, options: EngineOptions) -> Engine:
    """Load ``card``'s model into the engine ``name``, or for "auto" into the first that can."""
    check_size(card, options.size)
    card.passes(options.passes)
    if name != "auto":
        return _open(card, name, options)
    passed_over: list[tuple[str, EngineError]] = []
    for candidate in AUTO_ORDER:
        try:
            _check_node(candidate)
            return _open(card, candidate, options)
        except EngineError as error:
            # On a board that is not used, its owner wants to know; that a PC is no board, hardly.
            logger.log("WARNING" if _has_node(candidate) else "INFO", "{} passed over: {}", candidate, error)
            passed_over.append((candidate, error))
    raise EngineError(
        lambda option: (
            "no engine can run this model: "
            + "; ".join(f"{candidate}: {error.sentence(option)}" for candidate, error in passed_over)
        )
    )


def _has_node(name: str) -> bool:
    return name in AUTO_NODES and Path(AUTO_NODES[name]).exists()


def _check_node(name: str) -> None:
    if name in AUTO_NODES and not _has_node(name):
        raise EngineError(f"there is no {AUTO_NODES[name]}")


def engine_name(engine: Engine) -> str:
    """The name under which ENGINES has ``engine``; its class's name for one from elsewhere."""
    told: str = getattr(engine, "engine_name", "")
    if told:
        return told
    kind = type(engine)
    names = {target: name for name, target in ENGINES.items()}
    return names.get(f"{kind.__module__}:{kind.__name__}", kind.__name__)


def engine_facts(engine: Engine) -> Mapping[str, str]:
    """What an engine tells of itself beyond the protocol, in its attribute ``facts``: "engine ver" -> "2.3.0a"."""
    facts: Mapping[str, str] = getattr(engine, "facts", {})
    return facts


def _open(card: ModelCard, name: str, options: EngineOptions) -> Engine:
    kind = engine_class(name)
    engine: Engine
    if card.stages and not getattr(kind, "runs_stages", False):
        engine = registry.load(STAGED, "staged")(card, options, name, kind)
    else:
        engine = kind(card, options)
    return engine


def check_size(card: ModelCard, size: Size) -> None:
    """Raise ModelError where the model cannot take an input of ``size``."""
    fixed, multiple = card.fixed_size(), card.size_multiple
    if fixed is not None and fixed != size:
        raise ModelError(f"model {card.name} takes {fixed[0]}x{fixed[1]} px only, not {size[0]}x{size[1]}")
    if size[0] % multiple or size[1] % multiple or min(size) <= 0:
        raise ModelError(f"model {card.name} takes multiples of {multiple} px, not {size[0]}x{size[1]}")


def allocate(specs: tuple[TensorSpec, ...], size: Size) -> dict[str, Array]:
    """Zeroed arrays for ``specs``; open dimensions are (height, width) of ``size``."""
    return {spec.name: np.zeros(spec.shape_at(size), spec.storage) for spec in specs}
