"""What the calibration commands share at the console: progress, what an interruption loses, and no overwriting."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from roma_device.calibration.errors import CalibrationError


def refuse_existing(path: Path, force: bool) -> None:
    """Raises CalibrationError where ``path`` exists and ``force`` was not given."""
    if path.exists() and not force:
        raise CalibrationError(f"{path} exists: choose another name, or --force", exit_code=os.EX_CANTCREAT)


@contextmanager
def told_when_interrupted(kept: str = "") -> Iterator[None]:
    """Where Ctrl-C or SIGTERM ends the work: one sentence on stderr before the program ends; ``kept`` is a clause."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        click.echo(f"stopped before the solution was there: nothing was saved{kept and '; '}{kept}", err=True)
        raise


def progress_shown(number: int, total: int, outcome: str) -> None:
    """One line on a terminal that is written over itself; elsewhere nothing."""
    if not sys.stderr.isatty():
        return
    ending = "\n" if number == total else ""
    sys.stderr.write(f"\r\x1b[Klooking for the board: {number} of {total}, {outcome[:50]}{ending}")
    sys.stderr.flush()
