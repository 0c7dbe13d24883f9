"""Calibration boards: what is printed on them, and where their corners lie in an image. One file each."""

from .board import Board, Detection
from .spec import parse_board

__all__ = ["Board", "Detection", "parse_board"]
