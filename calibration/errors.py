"""The base of every error that a user may see, and this layer's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class RomaError(Exception):
    """One clear sentence for the user: what is wrong, where, and what to do.

    ``exit_code`` is the sysexits code that the command line ends with.
    """

    exit_code: int = os.EX_SOFTWARE

    def __init__(self, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class CalibrationError(RomaError):
    """A calibration that cannot be read, or that describes no possible rig."""

    exit_code = os.EX_DATAERR


@contextmanager
def located(where: object) -> Iterator[None]:
    """Put ``where``, such as a file, in front of the message of a CalibrationError that the block raises."""
    try:
        yield
    except CalibrationError as error:
        raise CalibrationError(f"{where}: {error}") from error
