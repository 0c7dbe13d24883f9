"""Status words of the board's runtime in words."""

from __future__ import annotations

import pytest

from roma_device.runtime.engines.ax import abi as abi
from roma_device.runtime.engines.ax import errors


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x800B0210, "system: the chip's timer cannot be reached"),
        (0x800B0018, "system: out of memory (CMM)"),
        (0x800B0080, "system: cannot map memory"),
        (0x800B0082, "system: cannot free memory"),
        (0x80060012, "NPU: not initialized"),
        (0x80060082, "NPU: an error that the headers do not name"),
        (0x80FF000A, "runtime: illegal parameter"),
        (0xFFFFFFFF, "runtime: an error that the headers do not name"),
        (1, "runtime: an error that the headers do not name"),
    ],
)
def test_meaning(code: int, words: str) -> None:
    assert errors.meaning(code).startswith(words)
