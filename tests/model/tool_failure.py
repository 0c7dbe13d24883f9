"""How a tool of model/ ends when its input is bad."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model.base.cli import run_tool


def exit_code(main: Callable[[list[str]], None], words: list[str]) -> int:
    """Of a call that must fail; what it says stands on stderr."""
    with pytest.raises(SystemExit) as caught:
        run_tool(lambda: main(words))
    assert isinstance(caught.value.code, int)
    return caught.value.code
