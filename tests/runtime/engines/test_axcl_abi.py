"""Status words of the card's runtime in words, and what the stand-in exports."""

from __future__ import annotations

import pytest

from roma_device.runtime.engines.axcl import abi as abi
from roma_device.runtime.engines.axcl import errors
from tests.standin.control import Standin


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x8030010B, "device: cannot open the device"),
        (0x80300181, "device: no card connected"),
        (0x80300182, "device: the card was found and does not start"),
        (0x80300183, "device: the card is not active"),
        (0x80300184, "device: no such card"),
        (0x80300284, "context: no context bound"),
        (0x80300305, "stream: timed out"),
        (0x80300383, "stream: timed out"),
        (0x80300581, "memory: not memory of the card"),
        (0x80300702, "engine: null pointer"),
        (0x8030070C, "engine: execution failed; `axcl-smi log -t 0x10`"),
        (0x80300781, "engine: no such input"),
        (0x80307F7F, "runtime: error 0x7F"),
    ],
)
def test_meaning(code: int, words: str) -> None:
    assert errors.meaning(code).startswith(words)


def test_every_bound_function_is_in_the_standin(axcl: Standin) -> None:
    assert [name for name in abi.PROTOTYPES if not hasattr(axcl.library, name)] == []
