"""Silence of the library: its log is off until a program asks for it."""

from __future__ import annotations

import sys
from typing import Any

from loguru import logger

PACKAGE = "roma_device"


def stay_silent() -> None:
    """Keep the library's messages from loguru's handlers, whatever the program has set up there."""
    logger.disable(PACKAGE)


def enable_logging(level: str = "WARNING", sink: Any = None) -> int:
    """Let the library say what it does, to stderr or to a ``sink`` that loguru knows (file, function, stream).

    Takes away no handler of the program. Returns the number of the handler, for ``loguru.logger.remove``.
    """
    logger.enable(PACKAGE)
    return logger.add(sys.stderr if sink is None else sink, level=level, filter=PACKAGE)
