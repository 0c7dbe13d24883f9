"""One task on a worker: whatever it raises comes back as plain values, since not every error can be pickled."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from loguru import logger

from roma_device.calibration.errors import RomaError

from . import Problem


def attempt(task: Callable[[Any], Any], argument: Any) -> tuple[Any, Problem | None]:
    """The result of ``task``, or why there is none."""
    try:
        return task(argument), None
    except RomaError as error:
        return None, Problem(str(error), error.exit_code)
    except Exception as error:
        logger.opt(exception=error).debug("unexpected failure of a task")
        return None, Problem(f"internal error, please report it: {error!r}", os.EX_SOFTWARE)
