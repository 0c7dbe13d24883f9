"""Where messages go: to stderr, so that stdout stays for results."""

from __future__ import annotations

import sys

from loguru import logger

LEVELS = ("ERROR", "WARNING", "INFO", "DEBUG")


def set_up_log(verbosity: int) -> None:
    """``verbosity`` 0 is warnings and errors; each -v adds a level, each -q takes one away."""
    level = LEVELS[max(0, min(len(LEVELS) - 1, 1 + verbosity))]
    logger.remove()
    logger.add(sys.stderr, level=level, format="<level>{level.name: <7}</level> {message}", colorize=None)
