"""Calibration files: one module per format, each reads and writes."""

from .own import load_calibration, save_calibration

__all__ = ["load_calibration", "save_calibration"]
