"""CMM, contiguous memory that CPU and NPU share: cached for the CPU, so flushed and invalidated by hand."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from roma_device.calibration.arrays import Image
from roma_device.runtime.engine import EngineError
from roma_device.runtime.engines.vendor import VendorLibrary

from . import abi as abi

TOKEN = b"roma-device"
"""Under this name our blocks appear in ``/proc/ax_proc/mem_cmm_info``."""

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class CmmBuffer:
    """One block. ``memory`` is what the CPU sees; it must not be touched after the block is freed."""

    library: VendorLibrary
    physical: int
    address: int
    memory: Image  # (bytes,)

    def flush(self) -> None:
        """Let the NPU see what the CPU wrote."""
        self.library.check("AX_SYS_MflushCache", self.physical, self.address, self.memory.size)

    def invalidate(self) -> None:
        """Let the CPU see what the NPU wrote."""
        self.library.check("AX_SYS_MinvalidateCache", self.physical, self.address, self.memory.size)


def allocate_cmm(library: VendorLibrary, size: int, stack: ExitStack) -> CmmBuffer:
    """A cached block of ``size`` bytes, freed by ``stack``; raises EngineError."""
    physical, address = ctypes.c_uint64(), ctypes.c_void_p()
    library.check("AX_SYS_MemAllocCached", ctypes.byref(physical), ctypes.byref(address), size, abi.BUFFER_ALIGN, TOKEN)
    stack.callback(library.release, "AX_SYS_MemFree", physical, address)
    assert address.value is not None
    memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address.value))
    return CmmBuffer(library, physical.value, address.value, memory)


@dataclass(frozen=True, slots=True)
class CmmState:
    """How much CMM there is, and how much of it nobody has taken."""

    total_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        return f"{self.free_bytes // MIB} of {self.total_bytes // MIB} MiB free"


def cmm_state(library: VendorLibrary) -> CmmState | None:
    """None where the runtime counts in a unit that we do not know.

    The headers name none; it is KB if the partitions, whose sizes are in KB, add up to the total.
    """
    status = abi.CmmStatus()
    library.check("AX_SYS_MemQueryStatus", ctypes.byref(status))
    count = min(status.Partition.PartitionCnt, abi.MAX_PARTITIONS)
    if status.TotalSize != sum(status.Partition.PartitionInfo[i].SizeKB for i in range(count)):
        return None
    return CmmState(status.TotalSize << 10, status.RemainSize << 10)


def require_cmm(library: VendorLibrary, needed_bytes: int, purpose: str) -> None:
    """Raise EngineError where less than ``needed_bytes`` are free; what a failed call would say less clearly."""
    state = cmm_state(library)
    if state is not None and state.free_bytes < needed_bytes:
        raise EngineError(
            f"CMM short: {state.free_bytes // MIB} MiB free, {-(-needed_bytes // MIB)} MiB needed for {purpose}; "
            "end other programs that use the NPU or cameras, or reboot if none is left"
        )
