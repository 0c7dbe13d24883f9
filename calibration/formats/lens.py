"""Distortion models by their names in other programs: one rule for coefficients of all formats."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from roma_device.calibration.arrays import FloatArray, Size
from roma_device.calibration.camera import COEFFICIENTS, CameraModel, DistortionModel
from roma_device.calibration.errors import CalibrationError

_FISHEYE = "equidistant equi fisheye fisheye4 kannalabrandt kannalabrandt4 kannalabrandt8 kb kb4 kb8 opencvfisheye"
_NAMES: dict[DistortionModel, str] = {
    "equidistant": f"{_FISHEYE} pinholeequi pinholeequidistant",
    "rational_polynomial": "rationalpolynomial rational pinholerational",
    "plumb_bob": "plumbbob radtan radialtangential pinholeradtan brown brownconrady modifiedbrownconrady",
}
MODELS: dict[str, DistortionModel] = {name: model for model, names in _NAMES.items() for name in names.split()}
BY_NUMBER = frozenset({"", "none", "pinhole", "perspective", "opencv", "standard", "rectified", "unknown"})
"""Names that leave open which of OpenCV's standard models it is: the number of coefficients tells."""


def lens_of(name: str, coefficients: Sequence[float] | FloatArray) -> tuple[DistortionModel, FloatArray]:
    """Model and coefficients as CameraModel takes them; raises CalibrationError for a name that is unknown,
    or says that there is no distortion where there are coefficients.

    Zeros that a file adds behind are dropped, those that it leaves out (k3, or all of an ideal lens) are added. Other
    numbers beyond the model stay, for CameraModel to complain of: dropping them would change the image.
    """
    values = np.asarray(coefficients, np.float64).ravel()
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain in ("none", "rectified") and values.any():
        raise CalibrationError(
            f"distortion model is {name!r}, and yet there are coefficients: name their model, or set them to 0"
        )
    if plain not in MODELS and plain not in BY_NUMBER:
        known = ", ".join(COEFFICIENTS)
        raise CalibrationError(f"distortion model is {name!r}: it must be one of {known}, or another name of these")
    model: DistortionModel = MODELS.get(plain) or ("rational_polynomial" if len(values) >= 8 else "plumb_bob")
    count = COEFFICIENTS[model]
    if len(values) > count and not values[count:].any():
        return model, values[:count]
    allowed = {"plumb_bob": (0, 4), "rational_polynomial": (0, 4, 5), "equidistant": (0,)}[model]
    return model, np.pad(values, (0, count - len(values))) if len(values) in allowed else values


def whole_size(width: float, height: float) -> Size:
    """Width and height as files have them; raises CalibrationError for parts of a pixel."""
    if width != int(width) or height != int(height):
        raise CalibrationError(f"the image size {width:g}x{height:g} is not in whole pixels")
    return Size(int(width), int(height))


def camera_of(size: Size, matrix: FloatArray, name: str, coefficients: Sequence[float] | FloatArray) -> CameraModel:
    """A camera as files have it; raises CalibrationError."""
    model, distortion = lens_of(name, coefficients)
    return CameraModel(size, matrix, distortion, model)
