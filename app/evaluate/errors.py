"""The error of evaluation sets: stereo pairs, pose pairs and clips."""

from __future__ import annotations

import os
from pathlib import Path

from roma_device.calibration.errors import RomaError
from roma_device.calibration.storage.text_file import read_exit_code


class EvaluationError(RomaError):
    """An evaluation set that cannot be read as its index says."""

    exit_code = os.EX_DATAERR


def unreadable(where: str, path: Path, error: OSError) -> EvaluationError:
    """For a file that ``where``, a place in an index, names."""
    message = f"{where}: cannot read {path} ({error.strerror or error})"
    return EvaluationError(message, exit_code=read_exit_code(error))
