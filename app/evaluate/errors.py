"""The error of evaluation sets: stereo pairs, pose pairs and clips."""

from __future__ import annotations

import os

from roma_device.calibration.errors import RomaError


class EvaluationError(RomaError):
    """An evaluation set that cannot be read as its index says."""

    exit_code = os.EX_DATAERR
