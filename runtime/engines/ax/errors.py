"""Errors of the board's runtime: what its status words mean, in words."""

from __future__ import annotations

_MODULES = {0x06: "NPU", 0x0B: "system"}
_CAUSES = {
    0x0A: "illegal parameter",
    0x0B: "null pointer",
    0x0C: "bad address",
    0x10: "the driver is not ready; is this an Axera board, and are its modules loaded?",
    0x11: "busy, probably in use by another program",
    0x12: "not initialized",
    0x13: "not configured",
    0x14: "not supported on this chip",
    0x15: "not permitted now",
    0x16: "exists already",
    0x17: "does not exist",
    0x18: "out of memory (CMM)",
    0x19: "no buffer left",
    0x1A: "does not fit together",
    0x27: "timed out",
    0x29: "unexpected failure",
    0x30: "failure of the operating system",
}
_TIMER = (
    "the chip's timer cannot be reached: the vendor's library opens /dev/mem for writing, which takes the right to "
    "write it and CAP_SYS_RAWIO: run as root, or let `roma-device service install --engine ax` grant them"
)
_CMM_CAUSES = {0x80: "cannot map memory", 0x81: "cannot unmap memory", 0x82: "cannot free memory"}


def meaning(code: int) -> str:
    """Words for a status: ``0x80000000 | module << 16 | part << 8 | cause``."""
    module, part, cause = code >> 16 & 0xFF, code >> 8 & 0xFF, code & 0xFF
    known = _CAUSES.get(cause) if code >> 24 == 0x80 else None
    if (module, part) == (0x0B, 0):
        known = _CMM_CAUSES.get(cause, known)
    if (module, part) == (0x0B, 2):
        known = _TIMER
    name = _MODULES.get(module, "runtime") if code >> 24 == 0x80 else "runtime"
    return f"{name}: {known}" if known else f"{name}: an error that the headers do not name"
