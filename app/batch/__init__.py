"""Batches: the same settings over many recordings, each of whose results appear once and whole."""

from __future__ import annotations

import os

from roma_device.calibration.errors import RomaError


class BatchError(RomaError):
    """A batch that cannot begin, or cannot go on."""

    exit_code = os.EX_USAGE
