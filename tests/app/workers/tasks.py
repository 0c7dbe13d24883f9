"""Tasks for workers: they have to stand in a module that workers can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from roma_device.calibration.errors import RomaError


def square(number: int) -> int:
    return number * number


def refuse(number: int) -> int:
    """An error with a sentence of which not every part can be pickled."""
    raise RomaError(lambda option: f"{number} is too small: give {option('number')}", exit_code=os.EX_DATAERR)


def break_down(_: int) -> int:
    raise ZeroDivisionError("of our own making")


def die_once(mark: Path) -> str:
    """Takes its worker with it the first time."""
    return _fall_once(mark, signal.SIGKILL)


def stop_once(mark: Path) -> str:
    """The whole process stands still the first time."""
    return _fall_once(mark, signal.SIGSTOP)


def _fall_once(mark: Path, by: signal.Signals) -> str:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return "alive"
    os.kill(os.getpid(), by)
    return "fallen"


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds
