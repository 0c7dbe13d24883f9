"""Where messages go: to stderr, so that stdout stays for results."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

from loguru import logger

LEVELS = ("ERROR", "WARNING", "INFO", "DEBUG")
JOURNAL_PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "SUCCESS": 5, "INFO": 6, "DEBUG": 7, "TRACE": 7}
"""Levels of the log -> those of syslog, which the journal reads from a line's start."""


def set_up_log(verbosity: int) -> None:
    """``verbosity`` 0 is warnings and errors; each -v adds a level, each -q takes one away."""
    level = LEVELS[max(0, min(len(LEVELS) - 1, 1 + verbosity))]
    logger.remove()
    if goes_to_journal(sys.stderr, os.environ):
        logger.add(sys.stderr, level=level, format=_journal_line, colorize=False)
    else:
        logger.add(sys.stderr, level=level, format=_terminal_line, colorize=None)


_HARMLESS = "\n\t"
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in _HARMLESS}


def harmless(text: str) -> str:
    """``text`` with its control characters written out: names of files and cameras may hold any."""
    return text.translate(_ESCAPES)


def tell_failure(message: str, name: str = "roma-device") -> None:
    """Why the program ends: one line on stderr, which the journal takes for an error."""
    line = harmless(message).replace("\n", "\\n")
    with suppress(OSError, ValueError):  # nobody can be told
        if goes_to_journal(sys.stderr, os.environ):
            sys.stderr.write(f"<{JOURNAL_PRIORITIES['ERROR']}>{line}\n")
        else:
            sys.stderr.write(f"{name}: {line}\n")
        sys.stderr.flush()


def goes_to_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether systemd connected ``stream`` to its journal, which stamps the lines itself."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (str(found.st_dev), str(found.st_ino)) == (device, inode)


def _journal_line(record: Any) -> str:
    """Each line of a message needs its priority."""
    priority = JOURNAL_PRIORITIES.get(record["level"].name, 6)
    lines = harmless(record["message"]).splitlines() or [""]
    record["extra"]["journal"] = "\n".join(f"<{priority}>{line}" for line in lines)
    return "{extra[journal]}\n{exception}"


def _terminal_line(record: Any) -> str:
    record["extra"]["shown"] = harmless(record["message"])
    return "<level>{level.name: <7}</level> {extra[shown]}\n{exception}"
