"""Inference on Axera's NPU on a PCIe card, through the vendor's AXCL runtime."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from types import MappingProxyType

from loguru import logger

from roma_device.runtime.card import ModelCard
from roma_device.runtime.cascade.sequence import Cascade
from roma_device.runtime.engine import Array, EngineError, EngineOptions
from roma_device.runtime.engines.npu_thread import NpuThread
from roma_device.runtime.engines.vendor import load_library

from . import abi as abi
from .device import RUNTIME, AxclDevice
from .graph import CardGraph

OPEN_LIMIT_S = 120.0
"""Loading a model over PCIe may take its time; what takes longer hangs."""

_CLOSE_TIMEOUT_MS = 1_000
_CLOSE_PATIENCE_S = 1.0


class AxclEngine:
    """Runs a bundle's axmodels on a card: inputs over, network, outputs back, all in one stream.

    ``inputs`` and ``outputs`` are host memory that AXCL allocated; they end with the engine.
    """

    runs_stages = True
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        self._library = load_library(abi.LIBRARY, options.npu.library_dir)
        for graph in card.graphs:
            if "axmodel" not in graph.files:
                raise EngineError(f"model {graph.name} has no axmodel file, which the card needs")
        data = [graph.files["axmodel"].mapped() for graph in card.graphs]  # are they what the model's card means?
        self._pending = False
        self._thread = NpuThread("axcl", options.npu.run_limit_s)  # for calls that take no limit of their own
        try:
            self._call(lambda: self._open(card, options, [one.data for one in data]), OPEN_LIMIT_S)
        except BaseException:
            self._thread.close(0)
            raise

    def _open(self, card: ModelCard, options: EngineOptions, data: Sequence[memoryview]) -> None:
        with ExitStack() as stack:
            self._device = AxclDevice(self._library, options.npu.device, options.npu.mode, stack)
            parts = zip(card.graphs, data, strict=True)
            self._graphs = [self._load(graph, options, content, stack) for graph, content in parts]
            self._cascade = Cascade(card, options.size, self._graphs, options.passes) if card.stages else None
            self.inputs = self._graphs[0].inputs
            self.outputs = self._cascade.outputs if self._cascade else self._graphs[-1].outputs
            self.facts = self._read_facts(self._graphs[0].model)
            if self._cascade is not None:
                self.facts["graphs"] = str(self._cascade.runs)
            self._resources = stack.pop_all()

    def _load(self, card: ModelCard, options: EngineOptions, data: memoryview, stack: ExitStack) -> CardGraph:
        return CardGraph(self._device, card, options, data, stack, self._call)

    def _call(self, call: Callable[[], None], limit_s: float | None = None) -> None:
        """In the card's thread, so that whoever waits can give up and say so; raises what ``call`` raises."""
        self._thread.submit(call)
        try:
            self._thread.wait(limit_s)
        finally:
            RUNTIME.hangs |= self._thread.stuck

    def run(self) -> None:
        if not self._graphs:
            raise EngineError("the engine is closed")
        self._device.bind()
        self._pending = True
        if self._cascade is None:
            self._graphs[0].run()
        else:
            self._cascade.run()
        self._pending = False

    def close(self) -> None:
        """Free what the card and the host hold, in reverse order; the arrays are gone after it."""
        if not self._thread.close(0 if self._thread.stuck else _CLOSE_PATIENCE_S):
            logger.error("a call to the card has not come back: what it holds there stays taken")
            self._resources.pop_all()
        resources, self._resources = self._resources, ExitStack()
        self.inputs, self.outputs = MappingProxyType({}), MappingProxyType({})
        with resources, suppress(EngineError):
            if self._graphs:
                self._device.bind()
            if self._pending:  # a run that failed half-way: its copies may still be under way
                self._library.release("axclrtSynchronizeStreamWithTimeout", self._device.stream, _CLOSE_TIMEOUT_MS)
        self._graphs, self._pending = [], False

    def _read_facts(self, model: ctypes.c_uint64) -> dict[str, str]:
        """What the vendor's benchmark prints; a call that fails leaves its line out."""
        value, facts = self._library.value, {}
        kind, numbers = ctypes.c_int32(), [ctypes.c_int32() for _ in range(3)]
        system, cmm = ctypes.c_int64(), ctypes.c_int64()
        if not value("axclrtEngineGetModelTypeFromModelId", model, ctypes.byref(kind)):
            facts["type"] = abi.MODEL_KINDS.get(kind.value, str(kind.value))
        facts |= {"vnpu": self._device.mode, "batch": "{ auto: 1 }"}
        if not value("axclrtGetVersion", *map(ctypes.byref, numbers)):
            facts["axclrt ver"] = ".".join(str(number.value) for number in numbers)
        compiler: bytes | None = value("axclrtEngineGetModelCompilerVersion", model)
        if compiler:
            facts["pulsar2 ver"] = compiler.decode(errors="replace")
        usage = "axclrtEngineGetUsageFromModelId"
        if self._library.has(usage) and not value(usage, model, ctypes.byref(system), ctypes.byref(cmm)):
            facts["cmm size"] = f"{cmm.value} Bytes"
        return facts
