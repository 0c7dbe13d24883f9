"""Single keys from the terminal, where there is one; nothing waits for them."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Keys:
    """Keys that were pressed since the last look."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    def pressed(self) -> str:
        """The next key, or "" where none is waiting."""
        if not self._enabled or not select.select([sys.stdin], [], [], 0)[0]:
            return ""
        return sys.stdin.read(1)


@contextmanager
def terminal_keys() -> Iterator[Keys]:
    """Keys without Enter and without echo while the block runs; the terminal is put back afterwards."""
    if not sys.stdin.isatty():
        yield Keys(False)
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield Keys(True)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
