"""Errors in a Python program's words: they advise keywords where the command line's advise flags."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from roma_device.calibration.errors import RomaError, as_keyword

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def in_keywords(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """``function`` with every RomaError that leaves it speaking of keywords."""

    @wraps(function)
    def called(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        try:
            return function(*args, **kwargs)
        except RomaError as error:
            error.address(as_keyword)
            raise

    return called
