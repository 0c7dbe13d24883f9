"""Inference on Axera's NPU on a PCIe card, through the vendor's AXCL runtime."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType

from loguru import logger

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import Array, EngineError, EngineOptions
from roma_device.runtime.engines.compiled_for import check_compiled_for
from roma_device.runtime.engines.npu_thread import NpuThread
from roma_device.runtime.engines.vendor import load_library

from . import abi as abi
from .buffers import GROUP, open_buffers
from .device import RUNTIME, AxclDevice

OPEN_LIMIT_S = 120.0
"""Loading a model over PCIe may take its time; what takes longer hangs."""

_CLOSE_TIMEOUT_MS = 1_000
_CLOSE_PATIENCE_S = 1.0


class AxclEngine:
    """Runs a bundle's axmodel on a card: inputs over, network, outputs back, all in one stream.

    ``inputs`` and ``outputs`` are host memory that AXCL allocated; they end with the engine.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        self._library = load_library(abi.LIBRARY, options.npu.library_dir)
        if "axmodel" not in card.files:
            raise EngineError(f"model {card.name} has no axmodel file, which the card needs")
        data = card.files["axmodel"].mapped()  # is it the file that the card of the model means?
        self._limit_ms = max(1, round(1000 * options.npu.run_limit_s))  # beyond it the card counts as hung
        self._pending = False
        self._thread = NpuThread("axcl", options.npu.run_limit_s)  # for calls that take no limit of their own
        try:
            self._call(lambda: self._open(card, options, data.data), OPEN_LIMIT_S)
        except BaseException:
            self._thread.close(0)
            raise

    def _open(self, card: ModelCard, options: EngineOptions, data: memoryview) -> None:
        with ExitStack() as stack:
            self._device = AxclDevice(self._library, options.npu.device, options.npu.mode, stack)
            self._check(card.files["axmodel"].path, data)
            self._model = self._load(os.fsencode(card.files["axmodel"].path), stack)
            if options.npu.affinity:
                self._library.check("axclrtEngineSetAffinity", self._model, options.npu.affinity)
            self._open_tensors(card, options, stack)
            self.facts = self._read_facts()
            self._resources = stack.pop_all()

    def _call(self, call: Callable[[], None], limit_s: float | None = None) -> None:
        """In the card's thread, so that whoever waits can give up and say so; raises what ``call`` raises."""
        self._thread.submit(call)
        try:
            self._thread.wait(limit_s)
        finally:
            RUNTIME.hangs |= self._thread.stuck

    def _check(self, path: Path, data: memoryview) -> None:
        """Cards of AXCL carry an AX650, whose modes leave one, two or all three of its cores."""
        mode = self._device.mode
        check_compiled_for(path, data, "AX650", {"enable": 1, "big_little": 2, "little_big": 2}.get(mode, 3), mode)

    def _load(self, path: bytes, stack: ExitStack) -> ctypes.c_uint64:
        model = ctypes.c_uint64()
        self._library.check("axclrtEngineLoadFromFile", path, ctypes.byref(model))
        stack.callback(self._library.release, "axclrtEngineUnload", model)
        self._context = ctypes.c_uint64()  # the library has no call to destroy it: it ends with the model
        self._library.check("axclrtEngineCreateContext", model, ctypes.byref(self._context))
        return model

    def _open_tensors(self, card: ModelCard, options: EngineOptions, stack: ExitStack) -> None:
        info, self._io = ctypes.c_void_p(), ctypes.c_void_p()
        self._library.check("axclrtEngineGetIOInfo", self._model, ctypes.byref(info))
        stack.callback(self._library.release, "axclrtEngineDestroyIOInfo", info)
        sides = {
            "Input": open_buffers(self._library, info, "Input", card.inputs, options.size, stack),
            "Output": open_buffers(self._library, info, "Output", card.outputs, options.size, stack),
        }
        self._library.check("axclrtEngineCreateIO", info, ctypes.byref(self._io))
        stack.callback(self._library.release, "axclrtEngineDestroyIO", self._io)
        for side, buffers in sides.items():
            for index, buffer in enumerate(buffers.values()):
                name = f"axclrtEngineSet{side}BufferByIndex"
                self._library.check(name, self._io, index, buffer.device, buffer.size)
        self._sides = sides
        self.inputs, self.outputs = (
            MappingProxyType({name: buffer.array for name, buffer in buffers.items()}) for buffers in sides.values()
        )

    def run(self) -> None:
        if not self._sides:
            raise EngineError("the engine is closed")
        check, stream = self._library.check, self._device.stream
        self._device.bind()
        self._pending = True
        for buffer in self._sides["Input"].values():
            check("axclrtMemcpyAsync", buffer.device, buffer.host, buffer.size, abi.HOST_TO_DEVICE, stream)
        if self._library.has("axclrtEngineExecuteAsync"):
            check("axclrtEngineExecuteAsync", self._model, self._context, GROUP, self._io, stream)
        else:
            check("axclrtSynchronizeStreamWithTimeout", stream, self._limit_ms)
            self._call(self._execute)
        for buffer in self._sides["Output"].values():
            check("axclrtMemcpyAsync", buffer.host, buffer.device, buffer.size, abi.DEVICE_TO_HOST, stream)
        check("axclrtSynchronizeStreamWithTimeout", stream, self._limit_ms)
        self._pending = False

    def _execute(self) -> None:
        """For libraries that cannot run a model in a stream: it has no limit, but waiting for it has."""
        self._device.bind()
        self._library.check("axclrtEngineExecute", self._model, self._context, GROUP, self._io)

    def close(self) -> None:
        """Free what the card and the host hold, in reverse order; the arrays are gone after it."""
        if not self._thread.close(0 if self._thread.stuck else _CLOSE_PATIENCE_S):
            logger.error("a call to the card has not come back: what it holds there stays taken")
            self._resources.pop_all()
        resources, self._resources = self._resources, ExitStack()
        self.inputs, self.outputs = MappingProxyType({}), MappingProxyType({})
        with resources, suppress(EngineError):
            if self._sides:
                self._device.bind()
            if self._pending:  # a run that failed half-way: its copies may still be under way
                self._library.release("axclrtSynchronizeStreamWithTimeout", self._device.stream, _CLOSE_TIMEOUT_MS)
        self._sides, self._pending = {}, False

    def _read_facts(self) -> dict[str, str]:
        """What the vendor's benchmark prints; a call that fails leaves its line out."""
        value, facts = self._library.value, {}
        kind, numbers = ctypes.c_int32(), [ctypes.c_int32() for _ in range(3)]
        system, cmm = ctypes.c_int64(), ctypes.c_int64()
        if not value("axclrtEngineGetModelTypeFromModelId", self._model, ctypes.byref(kind)):
            facts["type"] = abi.MODEL_KINDS.get(kind.value, str(kind.value))
        facts |= {"vnpu": self._device.mode, "batch": "{ auto: 1 }"}
        if not value("axclrtGetVersion", *map(ctypes.byref, numbers)):
            facts["axclrt ver"] = ".".join(str(number.value) for number in numbers)
        compiler: bytes | None = value("axclrtEngineGetModelCompilerVersion", self._model)
        if compiler:
            facts["pulsar2 ver"] = compiler.decode(errors="replace")
        usage = "axclrtEngineGetUsageFromModelId"
        if self._library.has(usage) and not value(usage, self._model, ctypes.byref(system), ctypes.byref(cmm)):
            facts["cmm size"] = f"{cmm.value} Bytes"
        return facts
