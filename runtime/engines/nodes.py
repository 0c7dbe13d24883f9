"""Device nodes that the vendors' libraries open: which there are, and which right this process lacks to open one."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

NODES: Mapping[str, tuple[str, ...]] = {
    "ax": ("ax_*", "axlog", "npu", "mem"),
    "axcl": ("axcl_host", "msg_userdev", "p2p", "ax_pcie_dma_transfer", "ax_mmb_dev"),
}
"""Engine -> patterns of nodes in /dev that its libraries open for reading and writing, where they are there."""

GROUP = "npu"
"""Whom udev gives the nodes to."""

CAP_SYS_RAWIO = 17
"""Its number in linux/capability.h; the kernel opens /dev/mem to nobody without it."""


def nodes_of(engine: str, root: Path = Path("/")) -> list[Path]:
    """The nodes of NODES that are there; ``root`` is / outside of tests."""
    return sorted(node for pattern in NODES[engine] for node in (root / "dev").glob(pattern))


def refusal(node: Path) -> str:
    """Why ``node`` cannot be opened as the library opens it; "" where it can."""
    try:
        _open(node)
    except PermissionError as error:
        return f"{error.strerror}: {_missing_right(node, error)}"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def denied_nodes(engine: str) -> str:
    """A sentence on the nodes that this process has no right to, with what grants it; "" where there are none."""
    denied: dict[str, list[str]] = {}
    for node in nodes_of(engine):
        try:
            _open(node)
        except PermissionError as error:
            denied.setdefault(_missing_right(node, error), []).append(str(node))
        except OSError:  # what the library makes of that is its own to say
            continue
    if not denied:
        return ""
    told = "; ".join(f"{', '.join(nodes)} ({right})" for right, nodes in denied.items())
    cure = f"run as root, or let `roma-device service install --engine {engine}` grant it to the service"
    return f"the vendor's library opens for writing what is closed to this process: {told}; {cure}"


def _open(node: Path) -> None:
    os.close(os.open(node, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))


def _missing_right(node: Path, error: OSError) -> str:
    """The kernel says EACCES for the file's group and mode, EPERM for a capability or a unit's list of devices."""
    if error.errno == errno.EACCES:
        return (
            f"the group {GROUP} is missing" if _group(node) == GROUP else f"no udev rule gave it to the group {GROUP}"
        )
    if node.name == "mem" and not _may(CAP_SYS_RAWIO):
        return "CAP_SYS_RAWIO is missing"
    return f"DeviceAllow=/dev/{node.name} is missing"


def _group(node: Path) -> str:
    with suppress(OSError, KeyError):
        return node.group()
    return ""


def _may(capability: int) -> bool:
    """Whether this process has it; True where that is not told."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        effective = next(line.split()[1] for line in lines if line.startswith("CapEff:"))
        return bool(int(effective, 16) >> capability & 1)
    return True
