"""Errors of the card's runtime: what its status words mean, in words."""

from __future__ import annotations

DEVICE_NODE = "/dev/axcl_host"

_MODULES = {1: "device", 2: "context", 3: "stream", 4: "task", 5: "memory", 6: "configuration", 7: "engine"}
_COMMON = {
    0x02: "null pointer",
    0x03: "illegal parameter",
    0x05: "timed out",
    0x0A: "unexpected response from the card",
    0x0B: f"cannot open the device; is the driver loaded and {DEVICE_NODE} yours to use?",
    0x0C: "execution failed; `axcl-smi log -t 0x10` fetches the card's own log, which has the cause",
}
_OWN = {
    0x0180: "cannot ask for the cards",
    0x0181: "no card connected",
    0x0182: "the card was found and does not start; `axcl-smi` shows its state, another PCIe slot may help",
    0x0183: "the card is not active; `axcl-smi reboot` starts it anew",
    0x0184: "no such card",
    0x0185: "no active card",
    0x0281: "cannot make a context",
    0x0282: "cannot end the context",
    0x0283: "cannot bind the context to this thread",
    0x0284: "no context bound to this thread",
    0x0381: "cannot make a stream",
    0x0382: "cannot end the stream",
    0x0383: "timed out",
    0x0581: "not memory of the card",
    0x0781: "no such input or output",
}


def meaning(code: int) -> str:
    """Words for a status: ``0x80000000 | module << 24 | 0x30 << 16 | part << 8 | id``."""
    part, number = code >> 8 & 0xFF, code & 0xFF
    known = _OWN.get(part << 8 | number) or _COMMON.get(number)
    name = _MODULES.get(part, "runtime")
    return f"{name}: {known}" if known else f"{name}: error 0x{number:02X}, see the log of AXCL"
