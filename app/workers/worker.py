"""A worker's process, before its first task."""

from __future__ import annotations

import cv2

from roma_device.app.log import set_up_log

from .software import fingerprint


def prepare(model: str | None) -> str:
    """Leave the other cores to the other workers; returns what this one computes with, in a word."""
    cv2.setNumThreads(1)
    set_up_log(0)
    return fingerprint(model)
