"""Host and device buffers of a model on a card, for each tensor."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import Size
from roma_device.runtime.card import ModelError, TensorSpec
from roma_device.runtime.engine import Array
from roma_device.runtime.engines.vendor import VendorLibrary

from . import abi as abi

GROUP = 0
"""Of shapes: bundles are compiled for one size."""


@dataclass(frozen=True, slots=True)
class CardBuffer:
    """One tensor: memory on both sides, and the host's as numpy sees it."""

    array: Array
    host: int
    device: int
    size: int  # bytes


def open_buffers(
    library: VendorLibrary,
    info: ctypes.c_void_p,
    side: str,
    specs: tuple[TensorSpec, ...],
    size: Size,
    stack: ExitStack,
) -> dict[str, CardBuffer]:
    """Buffers of all tensors of ``side``, "Input" or "Output", in the model's order, freed by ``stack``.

    Raises ModelError where the model is not what ``specs`` and ``size`` ask for, EngineError where
    a call fails.
    """
    wanted = {spec.name: spec for spec in specs}
    count = library.value(f"axclrtEngineGetNum{side}s", info)
    names = [_name(library, info, side, index) for index in range(count)]
    if sorted(names) != sorted(wanted):
        raise ModelError(f"the axmodel has {side.lower()}s {', '.join(names)}; its card says {', '.join(wanted)}")
    return {name: _open(library, info, side, index, wanted[name], size, stack) for index, name in enumerate(names)}


def _name(library: VendorLibrary, info: ctypes.c_void_p, side: str, index: int) -> str:
    name: bytes | None = library.value(f"axclrtEngineGet{side}NameByIndex", info, index)
    return (name or b"").decode(errors="replace")


def _open(
    library: VendorLibrary,
    info: ctypes.c_void_p,
    side: str,
    index: int,
    spec: TensorSpec,
    size: Size,
    stack: ExitStack,
) -> CardBuffer:
    shape, bytes_of_buffer = _checked(library, info, side, index, spec, size)
    host, device = ctypes.c_void_p(), ctypes.c_void_p()
    library.check("axclrtMallocHost", ctypes.byref(host), bytes_of_buffer)
    stack.callback(library.release, "axclrtFreeHost", host)
    library.check("axclrtMalloc", ctypes.byref(device), bytes_of_buffer, abi.MALLOC_HUGE_FIRST)
    stack.callback(library.release, "axclrtFree", device)
    assert host.value is not None and device.value is not None
    memory = np.ctypeslib.as_array((ctypes.c_uint8 * bytes_of_buffer).from_address(host.value))
    memory[...] = 0
    used = int(np.prod(shape)) * spec.storage.itemsize
    return CardBuffer(memory[:used].view(spec.storage).reshape(shape), host.value, device.value, bytes_of_buffer)


def _checked(
    library: VendorLibrary, info: ctypes.c_void_p, side: str, index: int, spec: TensorSpec, size: Size
) -> tuple[tuple[int, ...], int]:
    """Shape and bytes of the model's tensor; raises ModelError unless they are those of ``spec``."""
    found_bytes: int = library.value(f"axclrtEngineGet{side}SizeByIndex", info, GROUP, index)
    dims, kind = abi.IODims(), ctypes.c_int32()
    library.check(f"axclrtEngineGet{side}Dims", info, GROUP, index, ctypes.byref(dims))
    library.check(f"axclrtEngineGet{side}DataType", info, index, ctypes.byref(kind))
    shape = tuple(dims.dims[: max(0, min(dims.dimCount, abi.MAX_DIMS))])
    dtype = abi.DTYPES.get(kind.value, f"type {kind.value}")
    wanted = spec.shape_at(size)
    needed = int(np.prod(wanted)) * spec.storage.itemsize
    if shape != wanted or dtype != spec.dtype or found_bytes < needed:
        raise ModelError(
            f"{spec.name} of the axmodel is {shape} of {dtype}, {found_bytes} bytes; "
            f"asked for is {wanted} of {spec.dtype}, {needed} bytes"
        )
    return shape, found_bytes
