"""Calibration files: one module per format, each reads and writes."""

from .exchange import load_calibration
from .own import save_calibration

__all__ = ["load_calibration", "save_calibration"]
