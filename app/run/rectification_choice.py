"""Which rectification a run uses: from a calibration, from the camera itself, or none."""

from __future__ import annotations

import os
from dataclasses import dataclass

from roma_device.calibration.errors import CalibrationError
from roma_device.calibration.rectify import Rectification, RectifiedRig, View
from roma_device.calibration.rig import StereoCalibration
from roma_device.calibration.size import Size


@dataclass(frozen=True, slots=True)
class GeometryChoice:
    """What the user said about the rig; a calibration wins over the camera's own."""

    calibration: StereoCalibration | None = None
    rectified: bool = False
    focal_px: float | None = None
    baseline_m: float | None = None
    view: View = "native"


def choose_rectification(choice: GeometryChoice, own: StereoCalibration | None, size: Size) -> Rectification:
    """The rectification for frames of ``size``.

    ``own`` is the calibration that the camera itself knows, if any. Raises CalibrationError where
    none is known or the calibration is for another shape of image.
    """
    if choice.rectified:
        return Rectification.identity(_rectified_rig(choice, size))
    calibration = choice.calibration or own
    if calibration is None:
        raise CalibrationError(
            "this camera brings no calibration: give --calibration FILE, or --rectified if the pairs are rectified",
            exit_code=os.EX_USAGE,
        )
    return Rectification.from_calibration(calibration.fitted_to(size), choice.view)


def _rectified_rig(choice: GeometryChoice, size: Size) -> RectifiedRig:
    centre_x, centre_y = (size[0] - 1) / 2, (size[1] - 1) / 2
    return RectifiedRig(size, choice.focal_px, choice.baseline_m, centre_x, centre_y)
