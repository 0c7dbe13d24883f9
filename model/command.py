"""Failures of the tools in this folder: one sentence and an exit code of sysexits, as the program does."""

from __future__ import annotations

import sys
from collections.abc import Callable

from roma_device.runtime.card import ModelError


def run_tool(main: Callable[[], None]) -> None:
    """Call ``main``; an expected failure becomes a sentence on stderr."""
    try:
        main()
    except ModelError as error:
        print(f"{main.__module__ if main.__module__ != '__main__' else sys.argv[0]}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
