"""Axera's NPU on a PCIe card, through the vendor's AXCL runtime."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import numpy as np

from roma_device.runtime.card import ModelCard, ModelError
from roma_device.runtime.engine import Array, EngineError, EngineOptions, allocate

from . import axcl_abi as abi
from .axcl_device import AxclDevice
from .vendor import VendorLibrary, load_library

RUN_TIMEOUT_MS = 10_000
"""Longest time for one inference with its copies: a card that takes more hangs."""

_CLOSE_TIMEOUT_MS = 1_000
_GROUP = 0  # of shapes: bundles are compiled for one size


@dataclass(frozen=True, slots=True)
class _Buffer:
    """One tensor: memory on both sides, and the host's as numpy sees it."""

    array: Array
    host: int
    device: int
    size: int  # bytes


class AxclEngine:
    """Runs a bundle's axmodel on a card: inputs over, network, outputs back, all in one stream.

    ``inputs`` and ``outputs`` are host memory that AXCL allocated; they end with the engine.
    """

    def __init__(self, card: ModelCard, options: EngineOptions) -> None:
        if ctypes.sizeof(ctypes.c_void_p) != 8:
            raise EngineError("AXCL exists for 64-bit systems only")
        self._library = load_library(abi.LIBRARY)
        if "axmodel" not in card.files:
            raise EngineError(f"model {card.name} has no axmodel file, which the card needs")
        card.files["axmodel"].read()  # is it the file that the card of the model means?
        self._name, self._pending = card.name, False
        with ExitStack() as stack:
            self._device = AxclDevice(self._library, 0, stack)
            self._model = self._load(os.fsencode(card.files["axmodel"].path), stack)
            self._open_tensors(card, options, stack)
            self.facts = self._read_facts()
            self._resources = stack.pop_all()

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
            "Input": _open_side(self._library, info, "Input", allocate(card.inputs, options.size), stack),
            "Output": _open_side(self._library, info, "Output", allocate(card.outputs, options.size), stack),
        }
        self._library.check("axclrtEngineCreateIO", info, ctypes.byref(self._io))
        stack.callback(self._library.release, "axclrtEngineDestroyIO", self._io)
        for side, buffers in sides.items():
            for index, buffer in enumerate(buffers.values()):
                name = f"axclrtEngineSet{side}BufferByIndex"
                self._library.check(name, self._io, index, buffer.device, buffer.size)
        self._sides = sides
        self.inputs, self.outputs = (
            {name: buffer.array for name, buffer in buffers.items()} for buffers in sides.values()
        )

    def run(self) -> None:
        check, stream = self._library.check, self._device.stream
        self._device.bind()
        self._pending = True
        for buffer in self._sides["Input"].values():
            check("axclrtMemcpyAsync", buffer.device, buffer.host, buffer.size, abi.HOST_TO_DEVICE, stream)
        check("axclrtEngineExecuteAsync", self._model, self._context, _GROUP, self._io, stream)
        for buffer in self._sides["Output"].values():
            check("axclrtMemcpyAsync", buffer.host, buffer.device, buffer.size, abi.DEVICE_TO_HOST, stream)
        check("axclrtSynchronizeStreamWithTimeout", stream, RUN_TIMEOUT_MS)
        self._pending = False

    def close(self) -> None:
        """Free what the card and the host hold, in reverse order; the arrays are gone after it."""
        resources, self._resources = self._resources, ExitStack()
        self.inputs, self.outputs = {}, {}
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
        if not value("axclrtGetVersion", *map(ctypes.byref, numbers)):
            facts["axclrt ver"] = ".".join(str(number.value) for number in numbers)
        compiler: bytes | None = value("axclrtEngineGetModelCompilerVersion", self._model)
        if compiler:
            facts["pulsar2 ver"] = compiler.decode(errors="replace")
        usage = "axclrtEngineGetUsageFromModelId"
        if self._library.has(usage) and not value(usage, self._model, ctypes.byref(system), ctypes.byref(cmm)):
            facts["cmm size"] = f"{cmm.value} Bytes"
        return facts


def _open_side(
    library: VendorLibrary, info: ctypes.c_void_p, side: str, expected: Mapping[str, Array], stack: ExitStack
) -> dict[str, _Buffer]:
    """Buffers of all inputs or all outputs, in the model's order; raises ModelError where the card says otherwise."""
    count = library.value(f"axclrtEngineGetNum{side}s", info)
    names = [_name(library, info, side, index) for index in range(count)]
    if sorted(names) != sorted(expected):
        raise ModelError(f"the axmodel has {side.lower()}s {', '.join(names)}; its card says {', '.join(expected)}")
    return {name: _open(library, info, side, index, expected[name], stack) for index, name in enumerate(names)}


def _name(library: VendorLibrary, info: ctypes.c_void_p, side: str, index: int) -> str:
    name: bytes | None = library.value(f"axclrtEngineGet{side}NameByIndex", info, index)
    return (name or b"").decode(errors="replace")


def _open(
    library: VendorLibrary, info: ctypes.c_void_p, side: str, index: int, expected: Array, stack: ExitStack
) -> _Buffer:
    size: int = library.value(f"axclrtEngineGet{side}SizeByIndex", info, _GROUP, index)
    _check_tensor(library, info, side, index, size, expected)
    host, device = ctypes.c_void_p(), ctypes.c_void_p()
    library.check("axclrtMallocHost", ctypes.byref(host), size)
    stack.callback(library.release, "axclrtFreeHost", host)
    library.check("axclrtMalloc", ctypes.byref(device), size, abi.MALLOC_HUGE_FIRST)
    stack.callback(library.release, "axclrtFree", device)
    assert host.value is not None and device.value is not None
    memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(host.value))
    memory[...] = 0
    array = memory[: expected.nbytes].view(expected.dtype).reshape(expected.shape)
    return _Buffer(array, host.value, device.value, size)


def _check_tensor(
    library: VendorLibrary, info: ctypes.c_void_p, side: str, index: int, size: int, expected: Array
) -> None:
    """Raise ModelError unless shape, type and size are those of the model's card."""
    dims, kind = abi.IODims(), ctypes.c_int32()
    library.check(f"axclrtEngineGet{side}Dims", info, _GROUP, index, ctypes.byref(dims))
    library.check(f"axclrtEngineGet{side}DataType", info, index, ctypes.byref(kind))
    shape = tuple(dims.dims[: max(0, min(dims.dimCount, abi.MAX_DIMS))])
    dtype = abi.DTYPES.get(kind.value)
    if shape != expected.shape or dtype is None or np.dtype(dtype) != expected.dtype or size < expected.nbytes:
        found = f"{shape} of {f'type {kind.value}' if dtype is None else np.dtype(dtype)}, {size} bytes"
        raise ModelError(
            f"{_name(library, info, side, index)} of the axmodel is {found}; "
            f"asked for is {expected.shape} of {expected.dtype}, {expected.nbytes} bytes"
        )
