"""PCIe devices of AXCL: initialization, a device's context and stream, and its state."""

from __future__ import annotations

import atexit
import ctypes
import threading
from contextlib import ExitStack
from dataclasses import dataclass

from roma_device.runtime.engine import EngineError, NpuMode
from roma_device.runtime.engines.vendor import SharedState, VendorLibrary, load_library

from . import abi as abi


class Runtime:
    """AXCL of this process, which by its manual is initialized once: it is finalized when the process ends.

    Not even then while a call hangs, or the end would hang too.
    """

    def __init__(self) -> None:
        self._lock, self._runs = threading.Lock(), False
        self.hangs = False

    def start(self, library: VendorLibrary) -> None:
        """Raises EngineError, and is tried anew the next time."""
        with self._lock:
            if not self._runs:
                library.check_opening("axcl", "axclInit", None)
                self._runs = True
                atexit.register(self._end, library)

    def _end(self, library: VendorLibrary) -> None:
        if not self.hangs:
            library.release("axclFinalize")


RUNTIME = Runtime()
_SHARED = SharedState()
_THREAD = threading.local()  # .context: what this thread's calls go to


class AxclDevice:
    """A card in use, with a context and a stream of its own; all that it opens is closed by ``stack``."""

    def __init__(self, library: VendorLibrary, index: int, mode: NpuMode, stack: ExitStack) -> None:
        """``index`` counts the cards from 0; ``mode`` "auto" is that of another user of the card, else "disable".

        Raises EngineError where there is no such card or a call fails.
        """
        self.library = library
        RUNTIME.start(library)
        self.id = _id_of(library, index)
        use_device(library, self.id, stack)
        self._context = ctypes.c_void_p()
        library.check("axclrtCreateContext", ctypes.byref(self._context), self.id)
        stack.callback(self._destroy_context)
        self.bind()
        self.stream = ctypes.c_void_p()
        library.check("axclrtCreateStream", ctypes.byref(self.stream))
        stack.callback(library.release, "axclrtDestroyStream", self.stream)
        _SHARED.use(
            stack,
            ("npu", self.id),
            lambda: library.check("axclrtEngineInit", self._choose_kind(mode)),
            lambda: library.release("axclrtEngineFinalize"),
        )

    @property
    def mode(self) -> str:
        """Division of the card's NPU into virtual ones, by its name in VNPU_KINDS."""
        kind = self._kind_in_use()
        return next((name for name, number in abi.VNPU_KINDS.items() if number == kind), "unknown")

    def _kind_in_use(self) -> int | None:
        """None where nobody has initialized the NPU, which AXCL reports as an error."""
        kind = ctypes.c_int32()
        return None if self.library.value("axclrtEngineGetVNpuKind", ctypes.byref(kind)) else kind.value

    def _choose_kind(self, wanted: NpuMode) -> int:
        found = self._kind_in_use() if wanted == "auto" else None
        return abi.VNPU_KINDS.get(wanted, abi.VNPU_KINDS["disable"]) if found is None else found

    def bind(self) -> None:
        """Send this thread's calls to this card: AXCL wants a context in every thread that calls it."""
        if getattr(_THREAD, "context", None) is not self._context:
            self.library.check("axclrtSetCurrentContext", self._context)
            _THREAD.context = self._context

    def _destroy_context(self) -> None:
        _THREAD.context = None
        self.library.release("axclrtDestroyContext", self._context)


@dataclass(frozen=True, slots=True)
class CardState:
    """What a card tells of itself."""

    id: int
    version: str
    temperature_c: float
    total_cmm_kib: int
    free_cmm_kib: int
    total_memory_kib: int
    free_memory_kib: int
    npu_load_percent: int


def card_states(library: VendorLibrary | None = None) -> list[CardState]:
    """State of every card; raises EngineError where the library or the driver is missing."""
    library = library or load_library(abi.LIBRARY)
    RUNTIME.start(library)
    return [_state(library, device) for device in device_ids(library)]


def use_device(library: VendorLibrary, device: int, stack: ExitStack) -> None:
    """Hold the card ``device``; AXCL counts its users."""
    library.check("axclrtSetDevice", device)
    stack.callback(library.release, "axclrtResetDevice", device)
    _THREAD.context = None  # SetDevice binds the card's default context to this thread


def device_ids(library: VendorLibrary) -> list[int]:
    """Ids of the cards, in the order of the driver."""
    found = abi.DeviceList()
    library.check("axclrtGetDeviceList", ctypes.byref(found))
    return list(found.devices[: min(found.num, abi.MAX_DEVICES)])


def _id_of(library: VendorLibrary, index: int) -> int:
    ids = device_ids(library)
    if not ids:
        raise EngineError("AXCL finds no card: is it plugged in, and the driver loaded?")
    if not 0 <= index < len(ids):
        raise EngineError(f"there is no card {index}: AXCL finds {len(ids)}, counted from 0")
    return ids[index]


def _state(library: VendorLibrary, device: int) -> CardState:
    properties = abi.DeviceProperties()
    with ExitStack() as stack:
        use_device(library, device, stack)
        library.check("axclrtGetDeviceProperties", device, ctypes.byref(properties))
    return CardState(
        device,
        properties.swVersion.decode(errors="replace"),
        _celsius(properties.temperature),
        properties.totalCmmSize,
        properties.freeCmmSize,
        properties.totalMemSize,
        properties.freeMemSize,
        properties.npuLoading,
    )


def _celsius(value: int) -> float:
    """The unit is not documented: no chip has 1000 degrees, so such values are thousandths."""
    return value / 1000 if abs(value) >= 1000 else float(value)
