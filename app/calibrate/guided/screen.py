"""Screens of a guided capture, and what they show: 80x24 on a terminal, lines where there is none; single keys."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import click

from roma_device.calibration.guided.coverage import distance_counts, tilt_counts
from roma_device.calibration.guided.guide import CaptureGuide, Judgement


@dataclass(frozen=True, slots=True)
class CaptureState:
    """Plain values, so that screens need to know nothing else."""

    board: str
    folder: str
    taken: int
    wanted: int
    most: int  # at which the capture ends, whatever view is still missing
    status: str  # what is seen now, or why the pair was refused
    accepted: bool
    advice: str
    coverage: tuple[float, float]
    grids: tuple[list[list[int]], list[list[int]]]  # views per cell, rows of columns
    tilts: dict[str, int]
    distances: dict[str, int]
    now: tuple[float, float] | None  # where the board is in the left image, as shares of width and height

    def as_json(self) -> dict[str, Any]:
        return {"count": self.count, **{name: getattr(self, name) for name in self.__dataclass_fields__}}

    @property
    def count(self) -> str:
        """How many pairs there are, and why the capture goes on where they are as many as were wanted."""
        if self.taken < self.wanted:
            return f"{self.taken} of {self.wanted} pairs"
        left = self.most - self.taken
        return f"{self.taken} pairs" + (f", up to {left} more for missing views" if left > 0 else "")


def state_of(guide: CaptureGuide, folder: str, judgement: Judgement) -> CaptureState:
    """The state after a judgement (and after its view was added, where it was accepted)."""
    look = judgement.look
    return CaptureState(
        guide.board.spec,
        folder,
        len(guide.views),
        guide.wanted,
        guide.most,
        "taken: move on to another view" if judgement.accepted else judgement.reason,
        judgement.accepted,
        guide.advice(),
        guide.coverage(),
        (guide.grid(0).tolist(), guide.grid(1).tolist()),
        tilt_counts(guide.looks),
        distance_counts(guide.looks),
        None if look is None else (look.x, look.y),
    )


SHADES = ("· ", "░░", "▒▒", "▓▓", "██")
WIDTH = 80


class Screen(AbstractContextManager["Screen"], Protocol):
    """Shows states; a context manager."""

    def show(self, state: CaptureState) -> None:
        """The newest state."""

    def __exit__(self, *_: object) -> None:
        """Gives the terminal back, where it was taken."""
        return


def open_screen() -> Screen:
    """For the terminal on stderr, where it is one."""
    return TerminalScreen() if sys.stderr.isatty() else LineScreen()


class LineScreen(Screen):
    """A line on stderr whenever something changes: for logs, pipes and systemd."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, state: CaptureState) -> None:
        line = f"{state.count}: {state.status}"
        if line != self._last:
            ending = f"; next: {state.advice}" if state.accepted else ""
            click.echo(f"{line}{ending}", err=True)
        self._last = line


class TerminalScreen(Screen):
    """A picture of 20 lines that is drawn over itself."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True, highlight=False)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> TerminalScreen:
        self._live.start()
        return self

    def show(self, state: CaptureState) -> None:
        from rich.text import Text

        text = Text(no_wrap=True, overflow="ellipsis")
        for line, style in screen_lines(state):
            text.append(line[:WIDTH] + "\n", style=style)
        self._live.update(text, refresh=True)

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def screen_lines(state: CaptureState) -> list[tuple[str, str]]:
    """Lines of at most 80 columns with their style."""
    share = min(state.taken / state.wanted, 1.0)
    bar = "#" * round(30 * share) + "-" * (30 - round(30 * share))
    lines = [
        (f"Calibration with {state.board}", "bold"),
        (f"[{bar}] {state.count}", ""),
        ("", ""),
        (f"now:  {state.status}", "bold green" if state.accepted else "yellow"),
        (f"next: {state.advice}", "bold cyan"),
        ("", ""),
        (f"{_title('left', state.coverage[0])}    {_title('right', state.coverage[1])}    tilts", ""),
    ]
    tilts = [f"{name:12} {_marks(count)}" for name, count in state.tilts.items()]
    notes = iter([*tilts, ""])
    for row in range(len(state.grids[0])):
        cells = [_row(state, side, row) for side in range(2)]
        lines.append((f"  {cells[0]}    {cells[1]}    {next(notes, '')}", ""))
    distances = "  ".join(f"{name} {_marks(count)}" for name, count in state.distances.items())
    return [
        *lines,
        ("", ""),
        (f"distances: {distances}", ""),
        ("", ""),
        (f"kept in {state.folder}", "dim"),
        ("q: solve now   u: undo the last pair   Ctrl-C: stop, go on later", "dim"),
    ]


def _title(name: str, share: float) -> str:
    return f"  {name} image {share:4.0%}".ljust(18)


def _row(state: CaptureState, side: int, row: int) -> str:
    cells = [SHADES[min(count, len(SHADES) - 1)] for count in state.grids[side][row]]
    if side == 0 and state.now is not None:
        column = min(int(state.now[0] * len(cells)), len(cells) - 1)
        if min(int(state.now[1] * len(state.grids[0])), len(state.grids[0]) - 1) == row:
            cells[column] = "[]"
    return "".join(cells)


def _marks(count: int) -> str:
    return "." if count == 0 else "#" * min(count, 8) + ("+" if count > 8 else "")


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
