"""Rights that an engine needs of the service: device nodes, groups and capabilities, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roma_device.runtime.engine import AUTO_NODES

ServiceEngine = Literal["ax", "axcl", "host"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What is granted and what for."""

    what: str
    why: str


_GROUP = Grant("the group npu", "udev gives it the NPU's device nodes")

GRANTS: Mapping[ServiceEngine, tuple[Grant, ...]] = {
    "host": (),
    "axcl": (
        _GROUP,
        Grant(
            "/dev/axcl_host, msg_userdev, p2p, ax_pcie_dma_transfer and ax_mmb_dev",
            "the card's libraries open them for control, messages and copies over PCIe",
        ),
    ),
    "ax": (
        _GROUP,
        Grant("/dev/npu, /dev/axlog and /dev/ax_*", "the drivers of the NPU, of its memory and of their log"),
        Grant(
            "/dev/mem and CAP_SYS_RAWIO",
            "the vendor's library opens it for writing at its start and fails without; "
            "with them the service can read and write all memory of this board",
        ),
    ),
}
"""Engine -> what it needs beyond cameras, which every service may use."""


def engine_of(root: Path) -> ServiceEngine:
    """What ``auto`` takes on the machine, by its device nodes: a card before the board's own NPU."""
    found: tuple[ServiceEngine, ...] = ("axcl", "ax")
    return next((name for name in found if (root / AUTO_NODES[name].lstrip("/")).exists()), "host")
