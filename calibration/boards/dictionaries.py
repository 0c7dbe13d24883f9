"""The marker dictionaries of OpenCV by the names that people write."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np

from roma_device.calibration.arrays import GreyImage
from roma_device.calibration.errors import CalibrationError

DEFAULT = "5x5_1000"
_SIZES = ("50", "100", "250", "1000")
NAMES: tuple[str, ...] = (
    *(f"{n}x{n}_{size}" for n in (4, 5, 6, 7) for size in _SIZES),
    "aruco_original",
    "apriltag_16h5",
    "apriltag_25h9",
    "apriltag_36h10",
    "apriltag_36h11",
)


def dictionary(name: str) -> Any:
    """OpenCV's dictionary for ``5x5_1000``, ``DICT_5X5_1000`` and the like; raises CalibrationError."""
    plain = plain_name(name)
    constant = {"aruco_original": "DICT_ARUCO_ORIGINAL"}.get(plain, f"DICT_{plain.upper()}")
    if not hasattr(cv2.aruco, constant):  # OpenCV writes DICT_APRILTAG_36h11, and 36H11 in some releases
        constant = constant.replace("H", "h")
    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, constant))


def plain_name(name: str) -> str:
    """The name as NAMES has it."""
    plain = name.lower().removeprefix("dict_")
    if plain not in NAMES:
        message = f"unknown marker dictionary {name!r}; known: {', '.join(NAMES)}"
        raise CalibrationError(message, exit_code=os.EX_USAGE)
    return plain


def marker_bits(name: str, number: int, border_bits: int = 1) -> GreyImage:
    """The cells (K, K) of a marker, border included: 0 black, 255 white."""
    chosen = dictionary(name)
    side = int(chosen.markerSize) + 2 * border_bits
    return np.asarray(cv2.aruco.generateImageMarker(chosen, number, side, borderBits=border_bits), np.uint8)
