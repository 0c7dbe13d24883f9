"""Memory-mapped ioctl ABI of Video4Linux2: structures, numbers and request codes of ``videodev2.h``, no logic.

Only what a camera with streaming buffers in mapped memory needs, for the single-planar interface.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_long, c_uint8, c_uint32, c_ulong

BUF_TYPE_VIDEO_CAPTURE = 1
MEMORY_MMAP = 1
FIELD_ANY, FIELD_NONE = 0, 1

CAP_VIDEO_CAPTURE = 0x00000001
CAP_STREAMING = 0x04000000
CAP_DEVICE_CAPS = 0x80000000

BUF_FLAG_ERROR = 0x00000040
BUF_FLAG_TIMESTAMP_MASK = 0x0000E000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x00002000
BUF_FLAG_TSTAMP_SRC_MASK = 0x00070000
BUF_FLAG_TSTAMP_SRC_SOE = 0x00010000

FRMSIZE_DISCRETE, FRMIVAL_DISCRETE = 1, 1
CAP_TIMEPERFRAME = 0x1000

CTRL_FLAG_DISABLED = 0x0001
CTRL_FLAG_READ_ONLY = 0x0004
CTRL_FLAG_NEXT_CTRL = 0x80000000
CTRL_TYPE_INTEGER, CTRL_TYPE_BOOLEAN, CTRL_TYPE_MENU = 1, 2, 3

CID_WHITE_BALANCE = 0x0098090E
CID_WHITE_BALANCE_AUTO = 0x0098090C
CID_EXPOSURE = 0x00980911
CID_AUTOGAIN = 0x00980912
CID_GAIN = 0x00980913
CID_WHITE_BALANCE_TEMPERATURE = 0x0098091A
CID_EXPOSURE_AUTO = 0x009A0901
CID_EXPOSURE_ABSOLUTE = 0x009A0902
EXPOSURE_AUTO, EXPOSURE_MANUAL, EXPOSURE_APERTURE_PRIORITY = 0, 1, 3


class Capability(ctypes.Structure):
    _fields_ = (
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FmtDesc(ctypes.Structure):
    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FrmSizeEnum(ctypes.Structure):
    """``size`` holds width and height where discrete, else min/max/step of both."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("size", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class FrmIvalEnum(ctypes.Structure):
    """``interval`` holds one fraction where discrete, else min/max/step."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("interval", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class PixFormat(ctypes.Structure):
    _fields_ = (
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixelformat", c_uint32),
        ("field", c_uint32),
        ("bytesperline", c_uint32),
        ("sizeimage", c_uint32),
        ("colorspace", c_uint32),
        ("priv", c_uint32),
        ("flags", c_uint32),
        ("ycbcr_enc", c_uint32),
        ("quantization", c_uint32),
        ("xfer_func", c_uint32),
    )


class _FormatUnion(ctypes.Union):
    # The kernel's union holds pointers, which is what aligns it on 64-bit systems.
    _fields_ = (("pix", PixFormat), ("raw_data", c_uint8 * 200), ("align", c_ulong))


class Format(ctypes.Structure):
    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class RequestBuffers(ctypes.Structure):
    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 3),
    )


class TimeVal(ctypes.Structure):
    _fields_ = (("tv_sec", c_long), ("tv_usec", c_long))


class TimeCode(ctypes.Structure):
    _fields_ = (
        ("type", c_uint32),
        ("flags", c_uint32),
        ("frames", c_uint8),
        ("seconds", c_uint8),
        ("minutes", c_uint8),
        ("hours", c_uint8),
        ("userbits", c_uint8 * 4),
    )


class _BufferPlace(ctypes.Union):
    _fields_ = (("offset", c_uint32), ("userptr", c_ulong), ("fd", c_int32))


class Buffer(ctypes.Structure):
    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("timestamp", TimeVal),
        ("timecode", TimeCode),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("m", _BufferPlace),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
    )


class Fract(ctypes.Structure):
    _fields_ = (("numerator", c_uint32), ("denominator", c_uint32))


class CaptureParm(ctypes.Structure):
    _fields_ = (
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("timeperframe", Fract),
        ("extendedmode", c_uint32),
        ("readbuffers", c_uint32),
        ("reserved", c_uint32 * 4),
    )


class _ParmUnion(ctypes.Union):
    _fields_ = (("capture", CaptureParm), ("raw_data", c_uint8 * 200))


class StreamParm(ctypes.Structure):
    _fields_ = (("type", c_uint32), ("parm", _ParmUnion))


class QueryCtrl(ctypes.Structure):
    _fields_ = (
        ("id", c_uint32),
        ("type", c_uint32),
        ("name", c_char * 32),
        ("minimum", c_int32),
        ("maximum", c_int32),
        ("step", c_int32),
        ("default_value", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 2),
    )


class Control(ctypes.Structure):
    _fields_ = (("id", c_uint32), ("value", c_int32))


_WRITE, _READ = 1, 2


def _request(direction: int, number: int, size: int) -> int:
    """The kernel's _IOC('V', number) for an argument of ``size`` bytes."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


def _iowr(number: int, kind: type[ctypes.Structure]) -> int:
    return _request(_READ | _WRITE, number, ctypes.sizeof(kind))


QUERYCAP = _request(_READ, 0, ctypes.sizeof(Capability))
ENUM_FMT = _iowr(2, FmtDesc)
G_FMT = _iowr(4, Format)
S_FMT = _iowr(5, Format)
REQBUFS = _iowr(8, RequestBuffers)
QUERYBUF = _iowr(9, Buffer)
QBUF = _iowr(15, Buffer)
DQBUF = _iowr(17, Buffer)
STREAMON = _request(_WRITE, 18, 4)
STREAMOFF = _request(_WRITE, 19, 4)
G_PARM = _iowr(21, StreamParm)
S_PARM = _iowr(22, StreamParm)
G_CTRL = _iowr(27, Control)
S_CTRL = _iowr(28, Control)
QUERYCTRL = _iowr(36, QueryCtrl)
ENUM_FRAMESIZES = _iowr(74, FrmSizeEnum)
ENUM_FRAMEINTERVALS = _iowr(75, FrmIvalEnum)

SIZES_64_BIT: dict[type[ctypes.Structure], int] = {
    Capability: 104,
    FmtDesc: 64,
    FrmSizeEnum: 44,
    FrmIvalEnum: 52,
    Format: 208,
    RequestBuffers: 20,
    Buffer: 88,
    StreamParm: 204,
    QueryCtrl: 68,
    Control: 8,
}
"""Bytes of each structure as a 64-bit kernel has it; the request codes contain them."""


def fourcc(name: str) -> int:
    """ "YUYV" -> the kernel's number for it."""
    return int.from_bytes(name.ljust(4).encode("ascii"), "little")


def fourcc_name(code: int) -> str:
    return (code & 0x7FFFFFFF).to_bytes(4, "little").decode("ascii", "replace").strip()
