"""Wire format of ``pipe:``, version 1: fixed-size little-endian messages, as docs/pipe.md has them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from roma_device.calibration.arrays import Size

MAGIC, VERSION = b"RPIP", 1
HELLO, FRAME, RELEASE, REFUSAL = 1, 2, 3, 4
FLAG_DAMAGED = 1
SIDES = ("left", "right")
HEADER_BYTES, MESSAGE_BYTES = 8, 64
LARGEST_MESSAGE_BYTES = 256

MOST_SLOTS = 64
MOST_SLOT_BYTES = 1 << 28
SMALLEST_PX, LARGEST_PX = 16, 16384

_HELLO = struct.Struct("<4sHHIIQ40s")
_FRAME = struct.Struct("<4sHHIIQQIII4sIIQ")
_RELEASE = struct.Struct("<4sHHII")
_REFUSAL = struct.Struct("<4sHH248s")

BYTES_PER_PIXEL = {"GREY": 1, "NV12": 1, "YUYV": 2}
"""Of the plane that holds the luma: in NV12 it is a plane of its own, in YUYV every second byte."""


class WireError(ValueError):
    """A message that breaks the rules; its text says which one, for both ends."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a producer says first; the memory comes with it as a file descriptor."""

    name: str
    slots: int
    slot_bytes: int


@dataclass(frozen=True, slots=True)
class FrameMessage:
    """One image of one eye, which lies in a slot of the producer's memory."""

    slot: int
    side: int  # 0: left, 1: right
    sequence: int  # counts frames that the producer lost too
    timestamp_ns: int  # CLOCK_MONOTONIC, start of exposure
    size: Size
    stride: int  # bytes from one row to the next
    format: str
    is_damaged: bool
    offset: int  # bytes from the start of the slot to the first pixel

    @property
    def row_bytes(self) -> int:
        """Bytes of a row that hold luma."""
        return self.size[0] * BYTES_PER_PIXEL[self.format]

    @property
    def luma_bytes(self) -> int:
        """From the first pixel's byte to the last one's."""
        return self.stride * (self.size[1] - 1) + self.row_bytes

    def check(self, hello: Hello) -> None:
        """Raises WireError where the image does not lie within one slot."""
        if self.slot >= hello.slots:
            raise WireError(f"slot {self.slot} of {hello.slots} does not exist")
        if self.offset + self.luma_bytes > hello.slot_bytes:
            raise WireError(
                f"{self.size[0]}x{self.size[1]} {self.format} with stride {self.stride} at offset {self.offset} takes "
                f"{self.offset + self.luma_bytes} bytes, a slot has {hello.slot_bytes}"
            )


def read_kind(message: bytes) -> int:
    """The type of a message; raises WireError where it is none of version 1."""
    if len(message) < HEADER_BYTES:
        raise WireError(f"a message of {len(message)} bytes is none")
    magic, version, kind = struct.unpack_from("<4sHH", message)
    if magic != MAGIC:
        raise WireError(f"a message begins with {magic!r}, not {MAGIC!r}")
    if version != VERSION:
        raise WireError(f"the producer speaks version {version}, this program version {VERSION}")
    if kind not in (HELLO, FRAME):
        raise WireError(f"a producer sends no message of type {kind}")
    if len(message) != MESSAGE_BYTES:
        raise WireError(f"a message of type {kind} has {MESSAGE_BYTES} bytes, not {len(message)}")
    return int(kind)


def read_hello(message: bytes) -> Hello:
    """``message`` is one that ``read_kind`` took for HELLO."""
    *_, slots, _reserved, slot_bytes, name = _HELLO.unpack(message)
    if not 1 <= slots <= MOST_SLOTS:
        raise WireError(f"{slots} slots are not from 1 to {MOST_SLOTS}")
    if not 1 <= slot_bytes <= MOST_SLOT_BYTES:
        raise WireError(f"slots of {slot_bytes} bytes are not from 1 to {MOST_SLOT_BYTES}")
    text = name.rstrip(b"\0").decode("utf-8", "replace")
    return Hello("".join(letter for letter in text if letter.isprintable()), slots, slot_bytes)


def read_frame(message: bytes) -> FrameMessage:
    """``message`` is one that ``read_kind`` took for FRAME; whether it fits the slots is for ``check``."""
    slot, side, sequence, stamp_ns, width, height, stride, code, flags, offset, _ = _FRAME.unpack(message)[3:]
    format = code.decode("ascii", "replace")
    if format not in BYTES_PER_PIXEL:
        raise WireError(f"pixel format {format!r} is not one of {', '.join(BYTES_PER_PIXEL)}")
    if side >= len(SIDES):
        raise WireError(f"side {side} is neither 0 (left) nor 1 (right)")
    if not (SMALLEST_PX <= width <= LARGEST_PX and SMALLEST_PX <= height <= LARGEST_PX):
        raise WireError(f"{width}x{height} px is not from {SMALLEST_PX} to {LARGEST_PX} px on each side")
    size = Size(width, height)
    frame = FrameMessage(slot, side, sequence, stamp_ns, size, stride, format, bool(flags & FLAG_DAMAGED), offset)
    if stride < frame.row_bytes:
        raise WireError(f"a stride of {stride} bytes is less than a row of {width} px {format}")
    return frame


def release(slot: int) -> bytes:
    """The slot is the producer's again."""
    return _RELEASE.pack(MAGIC, VERSION, RELEASE, slot, 0)


def refusal(reason: str) -> bytes:
    """Why the connection is closed, for the producer's log."""
    return _REFUSAL.pack(MAGIC, VERSION, REFUSAL, reason.encode("utf-8")[:247])
