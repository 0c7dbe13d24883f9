"""The base of every error that a user may see, and this layer's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Option: TypeAlias = Callable[..., str]
"""(name, value=None) -> how the user writes an option; a value in capitals stands for one of the user's own."""


def as_flag(name: str, value: str | None = None) -> str:
    """An option as the command line has it: ``--focal-px``, ``--calibration FILE``, ``--task pose``."""
    return f"--{name}" if value is None else f"--{name} {value}"


def as_keyword(name: str, value: str | None = None) -> str:
    """An option as a Python program has it: ``focal_px=``, ``calibration=``, ``task="pose"``."""
    given = value is not None and value == value.lower()
    return f"{name.replace('-', '_')}=" + (f'"{value}"' if given else "")


class RomaError(Exception):
    """One clear sentence for the user: what is wrong, where, and what to do.

    A sentence that advises an option is a function of how the user writes options: flags, until ``address`` says
    otherwise. ``exit_code`` is the sysexits code that the command line ends with.
    """

    exit_code: int = os.EX_SOFTWARE

    def __init__(self, message: str | Callable[[Option], str], *, exit_code: int | None = None) -> None:
        super().__init__(message if isinstance(message, str) else message(as_flag))
        self._sentence = message
        if exit_code is not None:
            self.exit_code = exit_code

    def sentence(self, option: Option) -> str:
        """The message for a user who writes options as ``option`` does."""
        return self._sentence if isinstance(self._sentence, str) else self._sentence(option)

    def address(self, option: Option) -> None:
        """Have the message speak of options as ``option`` writes them, from now on."""
        self._sentence = self.sentence(option)
        self.args = (self._sentence,)


class CalibrationError(RomaError):
    """A calibration that cannot be read, or that describes no possible rig."""

    exit_code = os.EX_DATAERR


def usage(message: str) -> CalibrationError:
    """Of something that the user wrote and that makes no sense."""
    return CalibrationError(message, exit_code=os.EX_USAGE)


@contextmanager
def located(where: object) -> Iterator[None]:
    """Put ``where``, such as a file, in front of the message of a CalibrationError that the block raises.

    One that begins with it, perhaps with a line, is left as it is.
    """
    try:
        yield
    except CalibrationError as error:
        if str(error).startswith(f"{where}:"):
            raise
        raise CalibrationError(f"{where}: {error}") from error
