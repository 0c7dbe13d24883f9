"""Files that are there are not replaced unless the user says so."""

from __future__ import annotations

import os
from pathlib import Path

from roma_device.calibration.errors import CalibrationError


def refuse_existing(path: Path, force: bool) -> None:
    """Raises CalibrationError where ``path`` exists and ``force`` was not given."""
    if path.exists() and not force:
        raise CalibrationError(f"{path} exists: choose another name, or --force", exit_code=os.EX_CANTCREAT)
