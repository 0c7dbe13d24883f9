"""Layout of the ring, version 1: fixed-size little-endian headers at fixed places, as docs/shm.md has them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roma_device.calibration.arrays import AnyArray, Size
from roma_device.calibration.errors import RomaError

MAGIC, VERSION = b"ROMASHM\0", 1
SLOTS = 4
PAGE_BYTES, CHECKED_BYTES, NEWEST_AT, STATE_AT = 4096, 1024, 1024, 1088
SLOT_HEADER_BYTES, PRESENT_AT, TEXT_AT, ALIGNMENT = 2048, 56, 1024, 64
MOST_PLANES, MOST_BYTES = 8, 1 << 34
RUNNING, ENDED = 0, 1

FIELDS = ("left", "right", "depth", "disparity", "confidence")
"""Names of planes, in the order of their bits in ``present``."""

TYPES: dict[int, np.dtype[Any]] = {1: np.dtype(np.uint8), 2: np.dtype("<f4")}

PLANE = np.dtype(
    {
        "names": ["name", "offset", "bytes", "type", "channels"],
        "formats": ["S24", "<u4", "<u4", "<u4", "<u4"],
        "offsets": [0, 24, 28, 32, 36],
        "itemsize": 48,
    }
)
_RING = {
    "magic": (0, "V8"),
    "version": (8, "<u4"),
    "checksum": (12, "<u4"),
    "total": (16, "<u8"),
    "slots": (24, "<u4"),
    "slot_bytes": (28, "<u4"),
    "first_slot": (32, "<u4"),
    "width": (36, "<u4"),
    "height": (40, "<u4"),
    "planes": (44, "<u4"),
    "plane": (64, (PLANE, MOST_PLANES)),
}
_FRAME = {
    "sequence": (0, "<u8"),
    "checksum": (8, "<u4"),
    "number": (16, "<u8"),
    "index": (24, "<u8"),
    "timestamp_ns": (32, "<i8"),
    "skew_ns": (40, "<i8"),
    "dropped": (48, "<u8"),
    "present": (PRESENT_AT, "<u4"),
    "has_rig": (60, "<u4"),
    "focal_px": (64, "<f8"),
    "baseline_m": (72, "<f8"),
    "cx": (80, "<f8"),
    "cy": (88, "<f8"),
    "disparity_offset_px": (96, "<f8"),
    "pose_state": (104, "<u4"),
    "segment": (108, "<u4"),
    "inliers": (112, "<u4"),
    "is_keyframe": (116, "<u4"),
    "inlier_ratio": (120, "<f8"),
    "has_pose": (128, "<u4"),
    "has_covariance": (132, "<u4"),
    "position_m": (136, ("<f8", 3)),
    "quaternion_xyzw": (160, ("<f8", 4)),
    "covariance": (192, ("<f8", (6, 6))),
    "rotation": (480, ("<f8", (3, 3))),
    "pose_timestamp_ns": (552, "<i8"),
    "text_bytes": (1020, "<u4"),
    "text": (TEXT_AT, ("u1", SLOT_HEADER_BYTES - TEXT_AT)),
}


def _structure(fields: dict[str, tuple[int, Any]], itemsize: int) -> np.dtype[np.void]:
    formats, offsets = [kind for _, kind in fields.values()], [offset for offset, _ in fields.values()]
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": itemsize})


RING = _structure(_RING, CHECKED_BYTES)
FRAME = _structure(_FRAME, SLOT_HEADER_BYTES)
"""Of one slot; the checksum is over all that follows byte 16."""


class SharedMemoryError(RomaError):
    """Shared memory that cannot be read, or is not what it should be."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Where an image lies within each slot."""

    name: str
    offset: int
    type: np.dtype[Any]
    channels: int  # 1, or 3 for BGR

    def shape(self, size: Size) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        return (size[1], size[0]) if self.channels == 1 else (size[1], size[0], self.channels)

    def bytes(self, size: Size) -> int:
        return size[0] * size[1] * self.channels * self.type.itemsize


@dataclass(frozen=True, slots=True)
class Layout:
    """What a ring holds and where."""

    size: Size
    planes: tuple[Plane, ...]
    slots: int
    slot_bytes: int
    first_slot: int = PAGE_BYTES

    @classmethod
    def of(cls, size: Size, planes: Sequence[tuple[str, AnyArray]]) -> Layout:
        """For images of ``size`` like those given, one after the other."""
        codes, offset, placed = {kind: kind for kind in TYPES.values()}, SLOT_HEADER_BYTES, []
        for name, image in planes:
            placed.append(Plane(name, offset, codes[image.dtype], image.shape[2] if image.ndim == 3 else 1))
            offset += _rounded(placed[-1].bytes(size))
        return cls(size, tuple(placed), SLOTS, offset)

    @property
    def total_bytes(self) -> int:
        return self.first_slot + self.slots * self.slot_bytes

    def encode(self) -> bytes:
        """The first CHECKED_BYTES of the ring."""
        head = np.zeros((), RING)
        head["magic"], head["version"], head["total"] = np.void(MAGIC), VERSION, self.total_bytes
        head["slots"], head["slot_bytes"], head["first_slot"] = self.slots, self.slot_bytes, self.first_slot
        (head["width"], head["height"]), head["planes"] = self.size, len(self.planes)
        for plane, entry in zip(self.planes, head["plane"], strict=False):
            entry["name"], entry["offset"], entry["bytes"] = plane.name.encode(), plane.offset, plane.bytes(self.size)
            entry["type"] = next(code for code, known in TYPES.items() if known == plane.type)
            entry["channels"] = plane.channels
        head["checksum"] = zlib.crc32(head.tobytes())
        return head.tobytes()


def decode(data: bytes, there: int) -> Layout:
    """The layout of a ring of ``there`` bytes that begins with ``data``; raises SharedMemoryError."""
    if len(data) < CHECKED_BYTES or data[:8] != MAGIC:
        raise SharedMemoryError("the shared memory is no ring of roma-device")
    head = np.frombuffer(data, RING, 1)[0]
    if head["version"] != VERSION:
        raise SharedMemoryError(
            f"the ring has layout version {head['version']}, this program reads version {VERSION}: "
            "use the same release of roma-device on both sides"
        )
    if zlib.crc32(data[16:CHECKED_BYTES], zlib.crc32(bytes(4), zlib.crc32(data[:12]))) != head["checksum"]:
        raise SharedMemoryError("the ring's header does not have its checksum: it is damaged")
    size = Size(int(head["width"]), int(head["height"]))
    planes = tuple(_plane(entry, size, int(head["slot_bytes"])) for entry in head["plane"][: int(head["planes"])])
    layout = Layout(size, planes, int(head["slots"]), int(head["slot_bytes"]), int(head["first_slot"]))
    if layout.slots < 2 or layout.first_slot < PAGE_BYTES or not layout.total_bytes <= min(there, MOST_BYTES):
        raise SharedMemoryError(f"the ring's header speaks of {layout.total_bytes} bytes, the memory has {there}")
    return layout


def _plane(entry: np.void, size: Size, slot_bytes: int) -> Plane:
    name, kind, channels = entry["name"].decode("ascii", "replace"), int(entry["type"]), int(entry["channels"])
    if kind not in TYPES or channels not in (1, 3):
        raise SharedMemoryError(f"the ring's plane {name!r} has a type that this program does not know")
    plane = Plane(name, int(entry["offset"]), TYPES[kind], channels)
    if plane.offset % 4 or plane.offset < SLOT_HEADER_BYTES or plane.offset + plane.bytes(size) > slot_bytes:
        raise SharedMemoryError(f"the ring's plane {name!r} does not lie within its slot")
    return plane


def _rounded(count: int) -> int:
    return -(-count // ALIGNMENT) * ALIGNMENT
