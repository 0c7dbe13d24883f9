"""Which right to a device node is missing: by what the kernel says, and in the sentence of an engine that starts."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from roma_device.runtime.card import ModelCard
from roma_device.runtime.engine import EngineError
from roma_device.runtime.engines import nodes

from .conftest import Npu


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Name of a node -> errno that opening it gives; the process has no capability."""
    answers: dict[str, int] = {}

    def refuse(node: Path) -> None:
        if code := answers.get(node.name, 0):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(nodes, "_open", refuse)
    monkeypatch.setattr(nodes, "_may", lambda _: False)
    monkeypatch.setattr(nodes, "nodes_of", lambda _engine, _root=None: [Path("/dev", name) for name in sorted(answers)])
    return answers


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("ax_sys", 0, ""),
        ("ax_sys", errno.EACCES, "Permission denied: no udev rule gave it to the group npu"),
        ("ax_sys", errno.EPERM, "Operation not permitted: DeviceAllow=/dev/ax_sys is missing"),
        ("mem", errno.EPERM, "Operation not permitted: CAP_SYS_RAWIO is missing"),
        ("ax_sys", errno.ENXIO, "No such device or address"),
    ],
)
def test_the_right_that_is_missing(kernel: dict[str, int], name: str, number: int, words: str) -> None:
    kernel[name] = number
    assert nodes.refusal(Path("/dev", name)) == words


def test_a_capability_that_is_there_leaves_the_list_of_the_unit(
    kernel: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "_may", lambda _: True)
    kernel["mem"] = errno.EPERM
    assert nodes.refusal(Path("/dev/mem")).endswith("DeviceAllow=/dev/mem is missing")


def test_a_group_that_has_the_node_is_what_the_user_lacks(
    kernel: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "GROUP", Path("/dev/null").group())
    kernel["null"] = errno.EACCES
    assert nodes.refusal(Path("/dev/null")).endswith(f"the group {nodes.GROUP} is missing")


def test_an_engine_that_does_not_start_names_the_rights(
    npu: Npu, small_card: ModelCard, kernel: dict[str, int]
) -> None:
    kernel |= {"a": errno.EPERM, "b": errno.EACCES, "c": errno.EBUSY, "d": 0, "mem": errno.EPERM}
    npu.standin.fault("AX_SYS_Init" if npu.engine == "ax" else "axclInit", 0x800B0010)
    with pytest.raises(EngineError) as caught:
        npu.open(small_card)
    assert str(caught.value).endswith(
        "failed with 0x800B0010 (the vendor's library opens for writing what is closed to this process: "
        "/dev/a (DeviceAllow=/dev/a is missing); /dev/b (no udev rule gave it to the group npu); "
        "/dev/mem (CAP_SYS_RAWIO is missing); "
        f"run as root, or let `roma-device service install --engine {npu.engine}` grant it to the service)"
    )


def test_a_process_knows_what_it_may_not() -> None:
    assert not nodes._may(60)  # of which there is none
