"""What is said when Ctrl-C or SIGTERM ends the work before there is anything to save."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def told_when_interrupted(kept: str = "") -> Iterator[None]:
    """One sentence on stderr, then the program ends with the signal's code as always; ``kept`` is a clause."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        click.echo(f"stopped before the solution was there: nothing was saved{kept and '; '}{kept}", err=True)
        raise
