"""Command line of the tools: they fail with one sentence and an exit code of sysexits, as the program does.

Bad input raises ModelError wherever it is found; ``main`` of every tool goes through ``run_tool``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from roma_device.calibration.errors import RomaError


def run_tool(main: Callable[[], None]) -> None:
    """Call ``main``; an expected failure becomes a sentence on stderr, and so does what the system refuses."""
    try:
        main()
    except RomaError as error:
        _end(str(error), error.exit_code)
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        exit_code = os.EX_NOINPUT if isinstance(error, FileNotFoundError) else os.EX_IOERR
        _end(f"{about}{error.strerror or error}", exit_code)


def _end(sentence: str, exit_code: int) -> None:
    print(f"{Path(sys.argv[0]).stem}: {sentence}", file=sys.stderr)
    sys.exit(exit_code)
