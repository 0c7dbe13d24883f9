"""One line that tells how far the search for the board has come."""

from __future__ import annotations

import sys


def progress_shown(number: int, total: int, outcome: str) -> None:
    """Shows it on a terminal; elsewhere nothing is written."""
    if not sys.stderr.isatty():
        return
    ending = "\n" if number == total else ""
    sys.stderr.write(f"\r\x1b[Klooking for the board: {number} of {total}, {outcome[:50]}{ending}")
    sys.stderr.flush()
