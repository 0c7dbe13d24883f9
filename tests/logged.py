"""What the program logs while something runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loguru import logger


@contextmanager
def logged(level: str) -> Iterator[list[str]]:
    """Its lines of ``level`` and above, filled as they come."""
    lines: list[str] = []
    number = logger.add(lambda message: lines.append(message.record["message"]), level=level)
    try:
        yield lines
    finally:
        logger.remove(number)
