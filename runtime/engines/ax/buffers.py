"""Input and output buffers of one inference; two sets of them make double buffering."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from contextlib import ExitStack
from types import MappingProxyType

from roma_device.runtime.engine import Array
from roma_device.runtime.engines.vendor import VendorLibrary

from . import abi as abi
from .memory import CmmBuffer, allocate_cmm
from .model import AxModel, AxTensor


class BufferSet:
    """Inputs and outputs in CMM, by name, as numpy sees them; freed by ``stack``.

    Outputs are read-only: what the CPU wrote there could be evicted over what the NPU wrote later.
    """

    def __init__(self, library: VendorLibrary, model: AxModel, stack: ExitStack) -> None:
        self._inputs = [allocate_cmm(library, tensor.size, stack) for tensor in model.inputs]
        self._outputs = [allocate_cmm(library, tensor.size, stack) for tensor in model.outputs]
        for buffer in self._inputs:
            buffer.memory[...] = 0
        for buffer in self._outputs:
            buffer.memory.flags.writeable = False
        self.inputs = MappingProxyType(_views(model.inputs, self._inputs))
        self.outputs = MappingProxyType(_views(model.outputs, self._outputs))
        self._arrays = _io_buffers(self._inputs), _io_buffers(self._outputs)  # io points into them
        self.io = abi.Io(
            pInputs=self._arrays[0],
            nInputSize=len(self._inputs),
            pOutputs=self._arrays[1],
            nOutputSize=len(self._outputs),
            nBatchSize=abi.BATCH_AUTO,
        )

    def flush_inputs(self) -> None:
        for buffer in self._inputs:
            buffer.flush()

    def invalidate_outputs(self) -> None:
        for buffer in self._outputs:
            buffer.invalidate()


def set_bytes(model: AxModel) -> int:
    """CMM that one BufferSet takes, in bytes."""
    return sum(tensor.size for tensor in model.inputs + model.outputs)


def _views(tensors: Sequence[AxTensor], buffers: Sequence[CmmBuffer]) -> dict[str, Array]:
    views: dict[str, Array] = {}
    for tensor, buffer in zip(tensors, buffers, strict=True):
        dtype = tensor.spec.storage
        used = math.prod(tensor.shape) * dtype.itemsize
        views[tensor.spec.name] = buffer.memory[:used].view(dtype).reshape(tensor.shape)
    return views


def _io_buffers(buffers: Sequence[CmmBuffer]) -> ctypes.Array[abi.IoBuffer]:
    items = [abi.IoBuffer(phyAddr=cmm.physical, pVirAddr=cmm.address, nSize=cmm.memory.size) for cmm in buffers]
    return (abi.IoBuffer * len(items))(*items)
