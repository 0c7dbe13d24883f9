"""Double-buffered inference on the NPU of an Axera board, through the vendor's ``libax_sys`` and ``libax_engine``.

Proven against the headers and a stand-in for the libraries; not tried on a board.
"""

from __future__ import annotations

import atexit
import ctypes
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from types import MappingProxyType

from loguru import logger

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import Array, EngineError, EngineOptions
from roma_device.runtime.engines.npu_thread import NpuThread

from . import abi as abi
from .buffers import set_bytes
from .frame import FrameBuffers, frame_buffers
from .library import AxLibraries, load_libraries, start_runtime
from .memory import cmm_state, require_cmm
from .model import AxModel, axmodel_of, load_model

BUFFER_SETS = 2
OPEN_LIMIT_S = 120.0
"""Loading a model from a slow card may take its time; what takes longer hangs."""

STUCK_PATIENCE_S = 1.0
"""How long ``close`` waits for a run that is over its limit already."""


class AxEngine:
    """Runs a bundle's axmodels; see OverlappingEngine. Not thread-safe, though all runs have a thread of their own.

    ``inputs`` and ``outputs`` are the NPU's own memory: they end with ``close``, and so does any view of them.
    """

    runs_stages = True

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        for graph in card.graphs:
            axmodel_of(graph)  # before anything is touched
        self.inputs: Mapping[str, Array] = MappingProxyType({})
        self.outputs: Mapping[str, Array] = MappingProxyType({})
        self.facts: Mapping[str, str] = {}
        self._started: deque[FrameBuffers] = deque()  # runs under way, oldest first
        self._unread: set[FrameBuffers] = set()  # whose last results were given up
        self._libraries = load_libraries(options.npu.library_dir)
        self._resources, self._closed = ExitStack(), False
        self._patience_s = BUFFER_SETS * options.npu.run_limit_s
        self._thread = NpuThread("npu", options.npu.run_limit_s)
        atexit.register(self.close)
        try:
            self._thread.submit(lambda: self._open(card, options))
            self._thread.wait(OPEN_LIMIT_S)
            self._warm_up()
        except BaseException:
            self.close()
            raise
        self.inputs, self.outputs = self._sets[0].inputs, self._sets[0].outputs
        logger.info("ax: {}", ", ".join(f"{key} {value}" for key, value in self.facts.items()))

    def _open(self, card: ModelCard, options: EngineOptions) -> None:
        """In the NPU's thread too: whatever call hangs, whoever opens the engine can give up and say so."""
        with ExitStack() as stack:
            mode = start_runtime(self._libraries, options.npu.mode, stack)
            models = [load_model(self._libraries, graph, options, mode, stack) for graph in card.graphs]
            require_cmm(self._libraries.sys, BUFFER_SETS * sum(map(set_bytes, models)), "inputs and outputs")
            self._sets = [
                frame_buffers(self._libraries, models, card, options, stack, self._thread.step_done)
                for _ in range(BUFFER_SETS)
            ]
            self.facts = _facts(self._libraries, models[0], mode)
            if card.stages:
                self.facts = {**self.facts, "graphs": str(1 + card.passes(options.passes))}
            self._resources = stack.pop_all()

    def _warm_up(self) -> None:
        """The first run of a model takes many times longer than all others, and is given the time."""
        for buffers in self._sets:
            self._submit(buffers)
            self._take(OPEN_LIMIT_S)

    def run(self) -> None:
        if self._started:
            raise EngineError("an inference is under way: finish it before the next one is run by itself")
        self._submit(self._sets[0])
        self._take()

    def start(self) -> None:
        self._submit(self._sets[0])
        self._sets.reverse()
        self.inputs = self._sets[0].inputs

    def finish(self) -> float:
        return self._take()

    def _submit(self, buffers: FrameBuffers) -> None:
        if self._closed or self._thread.stuck:
            raise EngineError("the engine is closed" if self._closed else "the NPU hangs: open the engine anew")
        if buffers in self._started:
            raise EngineError("both sets of buffers are in use: finish an inference before the next one is started")
        buffers.flush_inputs()
        self._started.append(buffers)
        self._thread.submit(buffers.run)

    def _take(self, limit_s: float | None = None) -> float:
        if not self._started:
            raise EngineError("no inference is under way")
        try:
            duration_ms = self._thread.wait(limit_s)
            self._started[0].invalidate_outputs()
        except Exception:
            self._unread.add(self._started.popleft())
            raise
        buffers = self._started.popleft()
        self._unread.discard(buffers)
        self.outputs = buffers.outputs
        return duration_ms

    def close(self) -> None:
        """Free everything in reverse order; where a run hangs, its memory is left to the end of the process."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self.inputs, self.outputs = MappingProxyType({}), MappingProxyType({})
        if not self._thread.close(STUCK_PATIENCE_S if self._thread.stuck else self._patience_s):
            logger.error(
                "a call to the NPU has not come back: its CMM stays taken until this process has ended, if not longer"
            )
            return
        for buffers in {*self._started, *self._unread}:
            with suppress(EngineError):
                buffers.invalidate_outputs()
        self._started.clear()
        self._resources.close()


def _facts(libraries: AxLibraries, model: AxModel, mode: str) -> dict[str, str]:
    """What the vendor's benchmark prints, in its words; a line whose call is missing or fails is left out."""
    affinity, cmm, state = ctypes.c_uint32(), abi.CmmInfo(), cmm_state(libraries.sys)
    facts = {"chip": libraries.chip, "type": model.kind, "vnpu": mode}
    if _answers(libraries, "AX_ENGINE_GetAffinity", model, affinity):
        facts["affinity"] = f"0b{affinity.value:03b}"
    facts["batch"] = "{ auto: 1 }"
    if libraries.engine.has("AX_ENGINE_GetModelToolsVersion"):
        text: bytes | None = libraries.engine.value("AX_ENGINE_GetModelToolsVersion", model.handle)
        facts["pulsar2 ver"] = (text or b"unknown").decode(errors="replace")
    facts["engine ver"] = libraries.version
    if _answers(libraries, "AX_ENGINE_GetCMMUsage", model, cmm):
        facts["cmm size"] = f"{cmm.nCMMSize} Bytes"
    if state is not None:
        facts["cmm"] = str(state)
    return facts


def _answers(libraries: AxLibraries, function: str, model: AxModel, out: ctypes.c_uint32 | abi.CmmInfo) -> bool:
    engine = libraries.engine
    return engine.has(function) and not engine.value(function, model.handle, ctypes.byref(out))
