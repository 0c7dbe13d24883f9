"""``roma-device evaluate``: accuracy on data with ground truth; here the error of its sets: pairs and clips."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roma_device.calibration.errors import CalibrationError, RomaError
from roma_device.calibration.storage.files import read_exit_code


class EvaluationError(RomaError):
    """An evaluation set that cannot be read as its index says."""

    exit_code = os.EX_DATAERR


@contextmanager
def reading(where: str, path: Path) -> Iterator[None]:
    """An EvaluationError for whatever is wrong with the file that ``where``, a place in an index, names."""
    try:
        yield
    except OSError as error:
        message = f"{where}: cannot read {path} ({error.strerror or error})"
        raise EvaluationError(message, exit_code=read_exit_code(error)) from None
    except (ValueError, CalibrationError) as error:
        raise EvaluationError(f"{where}: {error}") from None
