"""C ABI of ``libax_sys.so`` and ``libax_engine.so``, the runtime on Axera boards: declarations only.

Importing this touches no library and no device. One set of structs serves AX650N and AX620E with 64-bit systems,
as their headers (V1.45, V2.0) lay them out; the 32-bit layouts differ and are not declared. Not tried on a board.
"""

from __future__ import annotations

from ctypes import POINTER, Structure, c_char, c_char_p, c_int32, c_uint8, c_uint32, c_uint64, c_void_p

from roma_device.runtime.engines.vendor import LibrarySpec, Prototype

from .errors import meaning

DEVICE_NODES = ("/dev/ax_sys", "/dev/ax_cmm")

BUFFER_ALIGN = 128  # bytes, of all memory that the NPU reads and writes
BATCH_AUTO = 0
MAX_PARTITIONS, PARTITION_NAME_BYTES = 16, 32


class NpuAttr(Structure):
    """How the cores are divided among virtual NPUs, for the whole system."""

    _fields_ = [("eHardMode", c_int32), ("reserve", c_uint32 * 8)]


class HandleExtra(Structure):
    """What may be said when a model is loaded; ``pName`` appears in the vendor's logs."""

    _fields_ = [("nNpuSet", c_uint32), ("pName", c_char_p), ("reserve", c_uint32 * 8)]


class IoMetaEx(Structure):
    """Colour space of an image input."""

    _fields_ = [("eColorSpace", c_int32), ("u64Reserved", c_uint64 * 18)]


class IoMeta(Structure):
    """One input or output of a loaded model; the runtime owns what the pointers lead to."""

    _fields_ = [
        ("pName", c_char_p),
        ("pShape", POINTER(c_int32)),
        ("nShapeSize", c_uint8),
        ("eLayout", c_int32),
        ("eMemoryType", c_int32),
        ("eDataType", c_int32),
        ("pExtraMeta", POINTER(IoMetaEx)),
        ("nSize", c_uint32),  # bytes
        ("nQuantizationValue", c_uint32),
        ("pStride", POINTER(c_int32)),
        ("u64Reserved", c_uint64 * 9),
    ]


class IoInfo(Structure):
    """All inputs and outputs of a loaded model."""

    _fields_ = [
        ("pInputs", POINTER(IoMeta)),
        ("nInputSize", c_uint32),
        ("pOutputs", POINTER(IoMeta)),
        ("nOutputSize", c_uint32),
        ("nMaxBatchSize", c_uint32),
        ("bDynamicBatchSize", c_int32),
        ("u64Reserved", c_uint64 * 11),
    ]


class IoBuffer(Structure):
    """Memory of one tensor. ``pStride`` stays NULL: its unit is bytes on AX650 and elements on AX620E."""

    _fields_ = [
        ("phyAddr", c_uint64),
        ("pVirAddr", c_void_p),
        ("nSize", c_uint32),  # bytes
        ("pStride", POINTER(c_int32)),
        ("nStrideSize", c_uint8),
        ("u64Reserved", c_uint64 * 11),
    ]


class IoSetting(Structure):
    """Which set of weights runs, for models that have several."""

    _fields_ = [("nWbtIndex", c_uint32), ("u64Reserved", c_uint64 * 7)]


class Io(Structure):
    """What one run reads and writes. ``nParallelRun`` is AX650's; 0 there is what AX620E wants of its reserve."""

    _fields_ = [
        ("pInputs", POINTER(IoBuffer)),
        ("nInputSize", c_uint32),
        ("pOutputs", POINTER(IoBuffer)),
        ("nOutputSize", c_uint32),
        ("nBatchSize", c_uint32),
        ("pIoSetting", POINTER(IoSetting)),
        ("nParallelRun", c_uint32),
        ("u64Reserved", c_uint64 * 10),
    ]


class CmmInfo(Structure):
    """CMM that a loaded model takes, in bytes."""

    _fields_ = [("nCMMSize", c_uint32)]


class PartitionInfo(Structure):
    """One region of CMM."""

    _fields_ = [("PhysAddr", c_uint64), ("SizeKB", c_uint32), ("Name", c_char * PARTITION_NAME_BYTES)]


class CmmPartitionInfo(Structure):
    """All regions of CMM."""

    _fields_ = [("PartitionCnt", c_uint32), ("PartitionInfo", PartitionInfo * MAX_PARTITIONS)]


class CmmStatus(Structure):
    """CMM as a whole. The headers give no unit for the sizes; KB where ``TotalSize`` is the sum of ``SizeKB``."""

    _fields_ = [
        ("TotalSize", c_uint32),
        ("RemainSize", c_uint32),
        ("BlockCnt", c_uint32),
        ("Partition", CmmPartitionInfo),
    ]


DTYPES: dict[int, str] = {1: "uint8", 2: "uint16", 3: "float32", 4: "int16", 5: "int8", 9: "bfloat16"}
"""eDataType -> name in a model's card; the other types of the headers do not occur in our models."""

_STATUS = c_int32
_U32_OUT = POINTER(c_uint32)
_IO_INFO_OUT = POINTER(POINTER(IoInfo))
_HANDLE_OUT = POINTER(c_void_p)


def _status(*arguments: object) -> Prototype:
    return _STATUS, arguments


SYS_PROTOTYPES: dict[str, Prototype] = {
    "AX_SYS_Init": _status(),
    "AX_SYS_Deinit": _status(),
    "AX_SYS_MemAllocCached": _status(POINTER(c_uint64), POINTER(c_void_p), c_uint32, c_uint32, c_char_p),
    "AX_SYS_MemFree": _status(c_uint64, c_void_p),
    "AX_SYS_MflushCache": _status(c_uint64, c_void_p, c_uint32),
    "AX_SYS_MinvalidateCache": _status(c_uint64, c_void_p, c_uint32),
    "AX_SYS_MemQueryStatus": _status(POINTER(CmmStatus)),
}
ENGINE_PROTOTYPES: dict[str, Prototype] = {
    "AX_ENGINE_GetVersion": (c_char_p, ()),
    "AX_ENGINE_Init": _status(POINTER(NpuAttr)),
    "AX_ENGINE_GetVNPUAttr": _status(POINTER(NpuAttr)),
    "AX_ENGINE_Deinit": _status(),
    "AX_ENGINE_GetModelType": _status(c_void_p, c_uint32, POINTER(c_int32)),
    "AX_ENGINE_CreateHandleV2": _status(_HANDLE_OUT, c_void_p, c_uint32, POINTER(HandleExtra)),
    "AX_ENGINE_DestroyHandle": _status(c_void_p),
    "AX_ENGINE_CreateContextV2": _status(c_void_p, _HANDLE_OUT),
    "AX_ENGINE_GetIOInfo": _status(c_void_p, _IO_INFO_OUT),
    "AX_ENGINE_RunSyncV2": _status(c_void_p, c_void_p, POINTER(Io)),
    # Those that some libraries lack:
    "AX_ENGINE_GetGroupIOInfoCount": _status(c_void_p, _U32_OUT),
    "AX_ENGINE_SetAffinity": _status(c_void_p, c_uint32),
    "AX_ENGINE_GetAffinity": _status(c_void_p, _U32_OUT),
    "AX_ENGINE_GetCMMUsage": _status(c_void_p, POINTER(CmmInfo)),
    "AX_ENGINE_GetModelToolsVersion": (c_char_p, (c_void_p,)),
}
OPTIONAL = frozenset(
    {
        "AX_ENGINE_GetGroupIOInfoCount",
        "AX_ENGINE_SetAffinity",
        "AX_ENGINE_GetAffinity",
        "AX_ENGINE_GetCMMUsage",
        "AX_ENGINE_GetModelToolsVersion",
    }
)
"""Functions without which a model runs all the same."""

_FOLDERS = ("/soc/lib", "/opt/lib", "/usr/lib", "/usr/local/lib", "/usr/lib/aarch64-linux-gnu")
_INSTALL = "install the board's Axera BSP (it brings them), or name their folder in npu.library_dir or ROMA_AX_LIB_DIR"

SYS = LibrarySpec("libax_sys.so", _FOLDERS, _INSTALL, SYS_PROTOTYPES, meaning)
ENGINE = LibrarySpec("libax_engine.so", _FOLDERS, _INSTALL, ENGINE_PROTOTYPES, meaning, ("libax_interpreter.so",))
