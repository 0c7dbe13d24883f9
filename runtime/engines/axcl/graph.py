"""One compiled graph on a card: loaded, with its buffers on both sides, and run in the card's stream."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import ExitStack
from types import MappingProxyType

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineOptions
from roma_device.runtime.engines.compiled_for import check_compiled_for

from . import abi as abi
from .buffers import GROUP, open_buffers
from .device import AxclDevice

Call = Callable[[], None]


class CardGraph:
    """Inputs over, network, outputs back; ``inputs`` and ``outputs`` are host memory that AXCL allocated."""

    def __init__(
        self,
        device: AxclDevice,
        card: ModelCard,
        options: EngineOptions,
        data: memoryview,
        stack: ExitStack,
        in_thread: Callable[[Call], None],
    ) -> None:
        """``data`` is the compiled file of ``card``, a card of one graph; ``in_thread`` runs a call that takes no limit
        of its own. Raises ModelError and EngineError.
        """
        self._in_thread = in_thread
        self._device, self._library = device, device.library
        self._limit_ms = max(1, round(1000 * options.npu.run_limit_s))  # beyond it the card counts as hung
        file = card.files["axmodel"].path
        _check(device, card, data)
        self.model, self._context = ctypes.c_uint64(), ctypes.c_uint64()
        self._library.check("axclrtEngineLoadFromFile", os.fsencode(file), ctypes.byref(self.model))
        stack.callback(self._library.release, "axclrtEngineUnload", self.model)
        # The library has no call to destroy a context: it ends with the model.
        self._library.check("axclrtEngineCreateContext", self.model, ctypes.byref(self._context))
        if options.npu.affinity:
            self._library.check("axclrtEngineSetAffinity", self.model, options.npu.affinity)
        self._open_tensors(card, options, stack)

    def _open_tensors(self, card: ModelCard, options: EngineOptions, stack: ExitStack) -> None:
        info, self._io = ctypes.c_void_p(), ctypes.c_void_p()
        self._library.check("axclrtEngineGetIOInfo", self.model, ctypes.byref(info))
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
        """The device is bound to the caller's thread."""
        check, stream = self._library.check, self._device.stream
        for buffer in self._sides["Input"].values():
            check("axclrtMemcpyAsync", buffer.device, buffer.host, buffer.size, abi.HOST_TO_DEVICE, stream)
        if self._library.has("axclrtEngineExecuteAsync"):
            check("axclrtEngineExecuteAsync", self.model, self._context, GROUP, self._io, stream)
        else:
            check("axclrtSynchronizeStreamWithTimeout", stream, self._limit_ms)
            self._in_thread(self._execute)
        for buffer in self._sides["Output"].values():
            check("axclrtMemcpyAsync", buffer.host, buffer.device, buffer.size, abi.DEVICE_TO_HOST, stream)
        check("axclrtSynchronizeStreamWithTimeout", stream, self._limit_ms)

    def _execute(self) -> None:
        """For libraries that cannot run a model in a stream: it has no limit, but waiting for it has."""
        self._device.bind()
        self._library.check("axclrtEngineExecute", self.model, self._context, GROUP, self._io)


def _check(device: AxclDevice, card: ModelCard, data: memoryview) -> None:
    """Cards of AXCL carry an AX650, whose modes leave one, two or all three of its cores."""
    most_cores = {"enable": 1, "big_little": 2, "little_big": 2}.get(device.mode, 3)
    check_compiled_for(card.files["axmodel"].path, data, "AX650", most_cores, device.mode)
