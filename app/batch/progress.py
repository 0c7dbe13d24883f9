"""How far a batch is, and when it will be done, reckoned by the size of what is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TextIO

import click
from loguru import logger

DRAW_S, TELL_S = 0.2, 10.0


class Progress:
    """A line of the terminal that is drawn anew, or one in the log now and then."""

    def __init__(self, sizes: Mapping[str, int], finished: int, is_quiet: bool, stream: TextIO | None = None) -> None:
        """``sizes`` in bytes of the items that are left, by name; ``finished`` others are done already."""
        self._sizes, self._before = sizes, finished
        self._left_bytes = self._all_bytes = sum(sizes.values())
        self._stream, self._is_quiet = stream or sys.stderr, is_quiet
        self._is_terminal = self._stream.isatty()
        self._started_s = time.monotonic()
        self._last_s = self._started_s
        self._drawn = False
        self.done = self.failed = 0

    def count(self, name: str, *, failed: bool) -> None:
        """An item is over."""
        self._left_bytes -= self._sizes[name]
        self.failed += failed
        self.done += not failed
        self.show()

    def show(self) -> None:
        """Draws at a limited rate."""
        now_s = time.monotonic()
        if self._is_quiet or now_s - self._last_s < (DRAW_S if self._is_terminal else TELL_S):
            return
        self._last_s = now_s
        if self._is_terminal:
            click.echo(f"\r\033[K{self.text()}", file=self._stream, nl=False)
            self._drawn = True
        else:
            logger.info(self.text())

    def text(self) -> str:
        """One line."""
        total = self._before + len(self._sizes)
        parts = [f"{self._before + self.done} of {total} items done"]
        parts += [f"{self.failed} failed"] if self.failed else []
        if (left_s := self.left_s()) is not None:
            parts.append(f"about {duration(left_s)} left")
        return ", ".join(parts)

    def left_s(self) -> float | None:
        """None before the first item is over."""
        over_bytes = self._all_bytes - self._left_bytes
        if not self.done + self.failed or not over_bytes:
            return None
        return (time.monotonic() - self._started_s) * self._left_bytes / over_bytes

    def clear(self) -> None:
        """Leave the terminal's line as it was."""
        if self._drawn:
            click.echo("\r\033[K", file=self._stream, nl=False)
            self._drawn = False


def duration(seconds: float) -> str:
    """Such as 45 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
