"""Silence of the library: its log is off until a program asks for it."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from typing import Any

from loguru import logger

from roma_device.calibration.errors import RomaError

PACKAGE = "roma_device"
LOGURU_DEFAULT = 0
"""Number of the handler that loguru starts with."""

_added: list[int] = []
"""Number of the handler that ``enable_logging`` added, if any."""


@cache
def stay_silent() -> None:
    """Keep the library's messages from loguru's handlers, whatever the program has set up there; once for all."""
    logger.disable(PACKAGE)


def enable_logging(level: str = "WARNING", sink: Any = None) -> None:
    """Let the library say what it does, from ``level`` on: to stderr, or to a ``sink`` that loguru knows (a file's
    name, a function, a stream, a ``logging.Handler``). Called again it replaces what it did before.

    Loguru's default handler no longer takes the library's messages then; those of the program itself go on to it. A
    program with handlers of its own may call ``loguru.logger.enable("roma_device")`` instead. Raises RomaError.
    """
    try:
        added = logger.add(sys.stderr if sink is None else sink, level=level, filter=PACKAGE)
    except (ValueError, TypeError, OSError) as error:
        raise RomaError(f"cannot log to {sink!r} from level {level!r} on: {error}") from None
    _take_from_default()
    if _added:
        logger.remove(_added.pop())
    _added.append(added)
    logger.enable(PACKAGE)


def _take_from_default() -> None:
    """Replace loguru's own handler, where the program left it, by one that is deaf to this library."""
    with suppress(ValueError):
        logger.remove(LOGURU_DEFAULT)
        logger.add(sys.stderr, filter=lambda record: not str(record["name"]).startswith(PACKAGE))
