"""C ABI of ``libaxcl_rt.so``, the runtime of Axera's PCIe cards: declarations only.

Importing this touches no library and no device. Layouts and numbers are those of AXCL 3.10; the data types
are numbered otherwise than on the board.
"""

from __future__ import annotations

from ctypes import POINTER, Structure, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

from roma_device.runtime.engines.vendor import LibrarySpec, Prototype

from .errors import meaning

MAX_DEVICES, MAX_DIMS = 256, 32

MALLOC_HUGE_FIRST = 0
HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2


class IODims(Structure):
    """Shape of one tensor."""

    _fields_ = [("dimCount", c_int32), ("dims", c_int32 * MAX_DIMS)]


class DeviceList(Structure):
    """Ids of the cards that are there."""

    _fields_ = [("num", c_uint32), ("devices", c_int32 * MAX_DEVICES)]


class DeviceProperties(Structure):
    """State of one card; sizes in KB, loads in percent."""

    _fields_ = [
        ("swVersion", c_char * 64),
        ("uid", c_uint64),
        ("pciDomain", c_uint32),
        ("pciBusID", c_uint32),
        ("pciDeviceID", c_uint32),
        ("temperature", c_int32),
        ("totalMemSize", c_uint32),
        ("freeMemSize", c_uint32),
        ("totalCmmSize", c_uint32),
        ("freeCmmSize", c_uint32),
        ("cpuLoading", c_uint32),
        ("npuLoading", c_uint32),
        ("reserved", c_uint32 * 32),
    ]


DTYPES: dict[int, str] = {3: "int8", 4: "uint8", 5: "int16", 6: "uint16", 14: "bfloat16", 15: "float32"}
"""Number of a data type -> name in a model's card; the other types of the headers do not occur in our models."""

VNPU_KINDS = {"disable": 0, "enable": 1, "big_little": 2, "little_big": 3}
"""Division of a card's NPU into virtual ones: name in the settings -> number."""

MODEL_KINDS = {0: "1 Core", 1: "2 Core", 2: "3 Core"}

_POINTER = POINTER(c_void_p)
_STATUS = c_int32
_BY_INDEX = (c_void_p, c_uint32)


def _status(*arguments: object) -> Prototype:
    return _STATUS, arguments


def _sides(name: str, restype: object, *arguments: object) -> dict[str, Prototype]:
    """The same function for inputs and outputs; ``name`` has ``{}`` where they differ."""
    return {name.format(side): (restype, arguments) for side in ("Input", "Output")}


PROTOTYPES: dict[str, Prototype] = {
    "axclInit": _status(c_char_p),
    "axclFinalize": _status(),
    "axclrtGetVersion": _status(POINTER(c_int32), POINTER(c_int32), POINTER(c_int32)),
    "axclrtGetDeviceList": _status(POINTER(DeviceList)),
    "axclrtSetDevice": _status(c_int32),
    "axclrtResetDevice": _status(c_int32),
    "axclrtGetDeviceProperties": _status(c_int32, POINTER(DeviceProperties)),
    "axclrtCreateContext": _status(_POINTER, c_int32),
    "axclrtDestroyContext": _status(c_void_p),
    "axclrtSetCurrentContext": _status(c_void_p),
    "axclrtCreateStream": _status(_POINTER),
    "axclrtDestroyStream": _status(c_void_p),
    "axclrtSynchronizeStreamWithTimeout": _status(c_void_p, c_int32),
    "axclrtMalloc": _status(_POINTER, c_size_t, c_int32),
    "axclrtFree": _status(c_void_p),
    "axclrtMallocHost": _status(_POINTER, c_size_t),
    "axclrtFreeHost": _status(c_void_p),
    "axclrtMemcpyAsync": _status(c_void_p, c_void_p, c_size_t, c_int32, c_void_p),
    "axclrtEngineInit": _status(c_int32),
    "axclrtEngineGetVNpuKind": _status(POINTER(c_int32)),
    "axclrtEngineFinalize": _status(),
    "axclrtEngineLoadFromFile": _status(c_char_p, POINTER(c_uint64)),
    "axclrtEngineUnload": _status(c_uint64),
    "axclrtEngineGetModelCompilerVersion": (c_char_p, (c_uint64,)),
    "axclrtEngineGetUsageFromModelId": _status(c_uint64, POINTER(c_int64), POINTER(c_int64)),
    "axclrtEngineGetModelTypeFromModelId": _status(c_uint64, POINTER(c_int32)),
    "axclrtEngineSetAffinity": _status(c_uint64, c_uint32),
    "axclrtEngineCreateContext": _status(c_uint64, POINTER(c_uint64)),
    "axclrtEngineGetIOInfo": _status(c_uint64, _POINTER),
    "axclrtEngineDestroyIOInfo": _status(c_void_p),
    "axclrtEngineCreateIO": _status(c_void_p, _POINTER),
    "axclrtEngineDestroyIO": _status(c_void_p),
    "axclrtEngineExecute": _status(c_uint64, c_uint64, c_uint32, c_void_p),
    "axclrtEngineExecuteAsync": _status(c_uint64, c_uint64, c_uint32, c_void_p, c_void_p),
    **_sides("axclrtEngineGetNum{}s", c_uint32, c_void_p),
    **_sides("axclrtEngineGet{}NameByIndex", c_char_p, *_BY_INDEX),
    **_sides("axclrtEngineGet{}SizeByIndex", c_uint64, c_void_p, c_uint32, c_uint32),
    **_sides("axclrtEngineGet{}Dims", _STATUS, c_void_p, c_uint32, c_uint32, POINTER(IODims)),
    **_sides("axclrtEngineGet{}DataType", _STATUS, *_BY_INDEX, POINTER(c_int32)),
    **_sides("axclrtEngineSet{}BufferByIndex", _STATUS, *_BY_INDEX, c_void_p, c_uint64),
}

OPTIONAL = frozenset(
    {
        "axclrtEngineExecute",  # stands in for the next, of which one has to be there
        "axclrtEngineExecuteAsync",
        "axclrtEngineGetUsageFromModelId",
        "axclrtEngineSetAffinity",
    }
)
"""Functions without which a model runs all the same."""

LIBRARY = LibrarySpec(
    "libaxcl_rt.so",
    ("/usr/lib/axcl",),
    "install the vendor's AXCL host package, or set ROMA_AX_LIB_DIR to its folder",
    PROTOTYPES,
    meaning,
)
